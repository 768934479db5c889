// What stands between the server and the panels of this page: nothing, or what the switches put there. It acts
// on this page's own connections alone. It stands in the page, since nothing else can be put between a browser
// and a server from here; to a panel it is what a proxy in the network would be.

import { t } from './words.js';

/** How many bytes the holding proxy collects, and how long the others take, in ms. */
export const HELD_BYTES = 4096;
export const CUT_AFTER = 10000;
export const DELAY = 300;

/** Which of them are on: hold, cut, refuse, stop, delay. */
export const path = { hold: false, cut: false, refuse: false, stop: false, delay: false };

// The requests that are under way.
const asking = new Set();
let change = () => {};
let changed = new Promise(done => { change = done; });

/** Puts something in the way of the panels, or takes it away. */
export function set(name, isOn) {
  path[name] = isOn;
  // A proxy whose servers are gone has no connections to them either.
  if (name === 'refuse' && isOn) for (const stop of asking) stop.abort(new Error(t('the proxy has lost its server')));
  change();
  changed = new Promise(done => { change = done; });
}

const sleep = ms => new Promise(done => { setTimeout(done, ms); });

/** Asks, through all that stands in the way. Returns the response, and a function that returns a promise of
    the next piece of its body, like that of a reader. */
export async function ask(url, options) {
  const stop = new AbortController();
  const abort = () => stop.abort(options.signal.reason);
  options.signal.addEventListener('abort', abort);
  asking.add(stop);
  const broken = new Error(t('the proxy has cut the connection'));
  const began = performance.now();
  // It may be switched on or off meanwhile.
  const watch = setInterval(() => {
    if (path.cut && performance.now() - began >= CUT_AFTER) stop.abort(broken);
  }, 250);
  const over = () => {
    clearInterval(watch);
    asking.delete(stop);
    options.signal.removeEventListener('abort', abort);
  };
  try {
    if (path.delay) await sleep(DELAY);
    if (path.refuse) {
      over();
      return { response: new Response('no server available\n', { status: 503 }), read: null };
    }
    const response = await fetch(url, { ...options, signal: stop.signal });
    if (path.delay) await sleep(DELAY);
    return { response, read: reading(response.body.getReader(), stop.signal, over) };
  } catch (error) {
    over();
    throw error;
  }
}

/** Returns a function that reads a body piece by piece, as they get through. */
function reading(reader, signal, over) {
  const pieces = [];
  let [end, failure, due, wake] = [false, null, 0, () => {}];
  const pump = async () => {
    for (;;) {
      while (path.stop) await changed;
      const { done, value } = await reader.read();
      due = Math.max(due, performance.now() + (path.delay ? DELAY : 0));
      pieces.push({ due, value });
      if (done) end = true;
      wake();
      if (done) return;
    }
  };
  const fail = error => { failure = error; wake(); };
  pump().catch(fail);
  signal.addEventListener('abort', () => fail(signal.reason));

  const size = () => pieces.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
  return async () => {
    for (;;) {
      const isHeld = path.hold && !end && size() < HELD_BYTES;
      if (pieces.length && !isHeld) {
        const wait = pieces[0].due - performance.now();
        if (wait > 0) await sleep(wait);
        // What was held comes all at once.
        const ready = [];
        while (pieces.length && pieces[0].value && (ready.length === 0 || path.hold)) ready.push(pieces.shift().value);
        if (ready.length) return { done: false, value: joined(ready) };
        over();
        return { done: true };
      }
      if (failure) {
        over();
        throw failure;
      }
      await Promise.race([new Promise(done => { wake = done; }), changed]);
    }
  };
}

/** Returns arrays of bytes as one. */
function joined(arrays) {
  if (arrays.length === 1) return arrays[0];
  const all = new Uint8Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}
