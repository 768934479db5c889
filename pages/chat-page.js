// What the scripts of /chat share: its templates, its notices, and its requests to the server.

import { at, refusal } from './page.js';
import { t } from './words.js';

const RETRY_STEP = 500, RETRY_MOST = 5000;

/** Returns the element with this id. */
export const $ = id => document.getElementById(id);

/** Returns the path of the conversation with the friend `name`. */
export const href = name => at(`/chat/with/${encodeURIComponent(name)}`);

/** Returns the number in a cursor. */
const seq = cursor => Number(cursor.slice(cursor.lastIndexOf('-') + 1));
/** Whether a cursor comes after another one. */
export const isNewer = (cursor, than) => seq(cursor) > seq(than);

/** Announces a text to screen readers. */
export function say(text) { $('said').textContent = text; }

/** Shows what went wrong; an empty text hides it. */
export function complain(text) { $('problem').textContent = text; }

/** Returns a copy of one of the page's templates with its placeholders filled: as text, never as HTML. */
export function make(template, values) {
  const copy = $(template).content.cloneNode(true);
  for (const other of copy.querySelectorAll('noscript')) other.remove();
  const fill = text => text.replace(/\{\{(\w+)\}\}/g, (_, place) => values[place] ?? '');
  const walker = document.createTreeWalker(copy, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    if (node.nodeType === Node.TEXT_NODE) {
      if (node.data.includes('{{')) node.data = fill(node.data);
      continue;
    }
    for (const { name, value } of [...node.attributes]) {
      // This placeholder stands among the attributes, as one of its own.
      if (name.startsWith('{{')) node.removeAttribute(name);
      else if (value.includes('{{')) node.setAttribute(name, fill(value));
    }
  }
  return copy;
}

// ---- Requests ----

/** Whether this page is being left because its session has ended. */
export let isLeft = false;

/** Goes to another page. The promise never resolves, so a caller that awaits it does not go on here. */
export function leave(path) {
  isLeft = true;
  location.replace(path);
  return new Promise(() => {});
}

/** Fetches, and says in words that the server cannot be reached. */
async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Error(t('the server does not answer'));
  }
}

/** Sends a request, a POST if there is a form, and returns the answer's JSON. Throws an error with the
    server's own sentence if the answer is an error. */
export async function ask(path, form, signal) {
  const response = await reach(path, {
    method: form ? 'POST' : 'GET',
    body: form && new URLSearchParams(form),
    headers: { Accept: 'application/json' },
    cache: 'no-store',
    signal,
  });
  if (response.status === 401) return leave(at(`/chat/login?next=${encodeURIComponent(location.pathname.slice(at('').length))}`));
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  throw refusal(response.status, answer);
}

/** Whether the same request would be refused again. */
export const isFinal = ({ status }) => status >= 400 && status < 500 && status !== 408 && status !== 429;

// The pauses that are going on: functions that end them.
const waiting = new Set();

/** Waits before another try: longer each time, but not past a call of `hurry`. */
export function pause(tries) {
  const most = Math.min(RETRY_MOST, RETRY_STEP * 2 ** tries);
  return new Promise(resolve => {
    const go = () => { clearTimeout(timer); waiting.delete(go); resolve(); };
    const timer = setTimeout(go, most * (0.5 + Math.random() / 2));
    waiting.add(go);
  });
}

/** Ends all pauses, since there is reason to believe that another try would succeed now. */
export function hurry() {
  for (const go of [...waiting]) go();
}
