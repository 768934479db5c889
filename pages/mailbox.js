// The page /mailbox: asks for a message, shows it, and asks for the next one.
import { $, addCopyButtons, at, part, refusal, request } from './page.js';
import { t } from './words.js';

const WAIT = '50s', SHOWN = 200;
/** When an answer is late, in ms: the server waits for as long as it is asked to, and then says so. */
const LATE = 55_000;
/** The pauses in ms after errors: each is longer than the one before, until there is an answer. */
const FIRST_PAUSE = 500, LONGEST_PAUSE = 5000;

/** The mailbox that is open: its name, and the controller that closes it. */
let login = null;

/** Shows the state, and of which kind it is. */
function say(text, state = 'closed') {
  $('state').textContent = text;
  $('state').dataset.state = state;
}

// ---- What a reload of this tab does not lose: the name, and the messages that were acknowledged ----

const kept = {
  get() {
    try { return JSON.parse(sessionStorage.getItem('mailbox')) ?? {}; } catch { return {}; }
  },
  set(value) {
    // What is too much for the storage is lost at a reload.
    try { sessionStorage.setItem('mailbox', JSON.stringify(value)); } catch { /* no storage */ }
  },
};

/** Appends a row, and removes the oldest ones past the limit. */
function add(kind, ...parts) {
  const row = part('li', kind, '');
  row.append(...parts);
  const list = $('messages');
  list.append(row);
  while (list.children.length > SHOWN) list.firstElementChild.remove();
}

/** Sends a form, and returns the answer and its text. */
async function post(body, signal) {
  const answer = await fetch(at('/mailbox'), { method: 'POST', body, signal, headers: { Accept: 'application/json' } });
  return { answer, text: await answer.text() };
}

/** Returns the JSON of an answer, or throws what is wrong. */
function read({ answer, text }) {
  let object;
  // A proxy may answer in the server's place, and in words of its own.
  try { object = JSON.parse(text); } catch { object = {}; }
  if (answer.ok) return object;
  const error = refusal(answer.status, object);
  // 408 (too slow) and 429 (too often) pass.
  error.isFinal = answer.status >= 400 && answer.status < 500 && ![408, 429].includes(answer.status);
  throw error;
}

/** Asks for a message, and shows the bytes of the request and of its answer. */
async function ask(fields, signal) {
  const body = new URLSearchParams(fields);
  const request = () => [
    part('b', '', 'POST /mailbox HTTP/1.1'),
    `\nContent-Type: application/x-www-form-urlencoded;charset=UTF-8\n\n${body}\n\n`,
  ];
  $('waiting').replaceChildren(...request(), part('i', '', t('… no answer yet')));
  try {
    const { answer, text } = await post(body, signal);
    const headers = [...answer.headers].map(([name, value]) => `\n${name}: ${value}`).join('');
    const status = part('b', '', `HTTP/1.1 ${answer.status} ${answer.statusText}`);
    $('answered').replaceChildren(...request(), status, `${headers}\n\n${text}`);
    return read({ answer, text });
  } finally {
    $('waiting').replaceChildren(t('(none at the moment)'));
  }
}

/** Asks for messages as long as the login lasts. */
async function receive({ me, ended, known }) {
  let ack = '', pause = FIRST_PAUSE, from = null;
  while (!ended.signal.aborted) {
    await shown();
    if (ended.signal.aborted) return;
    say(from === null ? t('waiting for a message to {me}', { me })
      : t('received a message from {from}; waiting for a message to {me}', { from, me }), 'live');
    const asking = new AbortController(), asked = Date.now();
    const stop = () => asking.abort();
    const late = setTimeout(stop, LATE);
    const stops = [[ended.signal, 'abort'], [window, 'pagehide'], [document, 'visibilitychange']];
    for (const [target, event] of stops) target.addEventListener(event, stop);
    try {
      const answer = await ask({ action: 'receive', me, ack, wait: WAIT }, asking.signal);
      pause = FIRST_PAUSE;
      if ('lost' in $('problem').dataset) {
        $('problem').textContent = '';
        delete $('problem').dataset.lost;
      }
      if ('Missed' in answer) missed(answer.Missed);
      if (!answer.Id) continue;
      ack = answer.Id;
      from = answer.FromUserName;
      show(answer, known);
    } catch (error) {
      if (ended.signal.aborted) return;
      if (asking.signal.aborted && (document.hidden || Date.now() - asked < LATE)) continue;
      if (error.isFinal) { logout(t('not open: {error}', { error: error.message })); return; }
      await rest(pause, error, ended.signal);
      pause = Math.min(2 * pause, LONGEST_PAUSE);
    } finally {
      clearTimeout(late);
      for (const [target, event] of stops) target.removeEventListener(event, stop);
    }
  }
}

/** Waits until the page is seen: a browser has six connections to a server, and a hidden page needs none. */
function shown() {
  if (!document.hidden) return Promise.resolve();
  say(t('paused while this page is hidden'), 'paused');
  return new Promise(resolve => {
    const look = () => {
      if (document.hidden) return;
      document.removeEventListener('visibilitychange', look);
      resolve();
    };
    document.addEventListener('visibilitychange', look);
  });
}

/** Shows a message, unless it is a redelivery of one that is known. */
function show(letter, known) {
  const { Id } = letter;
  if (known.has(Id)) return;
  known.add(Id);
  const { me, letters = [] } = kept.get();
  if (me === login?.me) kept.set({ me, letters: [...letters, letter].slice(-SHOWN) });
  // A Set keeps its order: the oldest is first.
  if (known.size > SHOWN) known.delete(known.values().next().value);
  row(letter);
}

/** Adds the row of a message. */
function row({ FromUserName, Msg, Id }) {
  const facts = part('span', 'facts', 'Id ');
  facts.append(part('code', 'id', Id));
  add('', part('b', 'from', FromUserName), part('span', 'text', Msg), facts);
}

/** Shows that messages expired before anyone received them. */
function missed(count) {
  add('gap', count === null ? t('Some messages may have expired before anyone received them.')
    : count === 1 ? t('One message expired before anyone received it.') : t('{n} messages expired before anyone received them.', { n: count }));
}

/** Waits a while after an error. The time is random, or all pages would come back together. */
function rest(pause, error, signal) {
  const ms = pause * (0.5 + Math.random() / 2);
  const why = error.status ? error.message : t('the server does not answer');
  say(ms < 1000 ? t('no answer ({why}); asking again at once', { why })
    : t('no answer ({why}); asking again in {n} s', { why, n: Math.round(ms / 1000) }), 'waiting');
  $('now').hidden = ms < 1000;
  return new Promise(resolve => {
    const go = () => {
      clearTimeout(timer);
      $('now').hidden = true;
      for (const [target, event] of wakers) target.removeEventListener(event, go);
      resolve();
    };
    const timer = setTimeout(go, ms);
    const wakers = [[$('now'), 'click'], [window, 'online'], [signal, 'abort']];
    for (const [target, event] of wakers) target.addEventListener(event, go);
  });
}

/** Closes the mailbox, and shows why. */
function logout(why) {
  login?.ended.abort();
  login = null;
  kept.set({});
  buttons();
  say(why);
}

/** Opens a mailbox. */
function enter(me, letters = []) {
  login = { me, ended: new AbortController(), known: new Set() };
  kept.set({ me, letters });
  buttons();
  receive(login);
}

/** Shows and enables the controls that make sense in the current state. */
function buttons() {
  $('enter').hidden = $('me').readOnly = login !== null;
  $('logout').hidden = $('post').disabled = login === null;
  $('post').title = login ? '' : t('Open your mailbox first');
}

$('login').addEventListener('submit', e => {
  e.preventDefault();
  if (login) return;
  enter($('me').value);
  $('to').focus();
});

$('logout').addEventListener('click', () => { logout(t('not open')); $('me').focus(); });

$('send').addEventListener('submit', async e => {
  e.preventDefault();
  const [to, text] = [$('to').value, $('text').value];
  const body = new URLSearchParams({ action: 'send', me: login.me, toUserName: to, msg: text });
  try {
    await request(at('/mailbox'), { method: 'POST', body, headers: { Accept: 'application/json' } }, say => { $('problem').textContent = say; });
    $('problem').textContent = '';
    if ($('text').value === text) $('text').value = '';
    add('aside', part('b', 'from', t('to {name}', { name: to })), part('span', 'text', text));
  } catch (error) {
    $('problem').textContent = t('Not sent: {error}.', { error: error.message });
    if (error.isLost) $('problem').dataset.lost = '';
  }
  $('text').focus();
});

addCopyButtons();
const { me, letters = [] } = kept.get();
if (me) {
  $('me').value = me;
  for (const letter of letters) row(letter);
  enter(me, letters);
  for (const { Id } of letters) login.known.add(Id);
}
// Some browsers remember over a reload which controls were disabled.
buttons();
