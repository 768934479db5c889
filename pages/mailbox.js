// The page /mailbox: asks for a message, shows it, and asks for the next one.
'use strict';

const $ = id => document.getElementById(id);
const WAIT = '50s', SHOWN = 200;
/** The pauses in ms after errors: each is longer than the one before, until there is an answer. */
const FIRST_PAUSE = 500, LONGEST_PAUSE = 30_000;

/** The current login: its name, and the controller that ends it. */
let login = null;

/** Shows the state. */
function say(text) { $('state').textContent = text; }

/** Returns an element with a class and a text, which is never read as HTML. */
function part(name, kind, text) {
  const element = document.createElement(name);
  element.className = kind;
  element.textContent = text;
  return element;
}

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
  const answer = await fetch('/mailbox', { method: 'POST', body, signal });
  return { answer, text: await answer.text() };
}

/** Returns the JSON of an answer, or throws what is wrong. */
function read({ answer, text }) {
  let object;
  // A proxy may answer in the server's place, and in words of its own.
  try { object = JSON.parse(text); } catch { object = {}; }
  if (answer.ok) return object;
  const error = new Error(object.error ?? `${answer.status} ${answer.statusText}`);
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
  $('waiting').replaceChildren(...request(), part('i', '', '… no answer yet'));
  try {
    const { answer, text } = await post(body, signal);
    const headers = [...answer.headers].map(([name, value]) => `\n${name}: ${value}`).join('');
    const status = part('b', '', `HTTP/1.1 ${answer.status} ${answer.statusText}`);
    $('answered').replaceChildren(...request(), status, `${headers}\n\n${text}`);
    return read({ answer, text });
  } finally {
    $('waiting').replaceChildren('(none at the moment)');
  }
}

/** Asks for messages as long as the login lasts. */
async function receive({ me, ended }) {
  let ack = '', pause = FIRST_PAUSE, received = '';
  const known = new Set();
  while (!ended.signal.aborted) {
    say(`${received}waiting for a message to ${me}`);
    try {
      const answer = await ask({ action: 'receive', me, ack, wait: WAIT }, ended.signal);
      pause = FIRST_PAUSE;
      if ('Missed' in answer) missed(answer.Missed);
      if (!answer.Id) continue;
      ack = answer.Id;
      received = `received a message from ${answer.FromUserName}; `;
      show(answer, known);
    } catch (error) {
      if (ended.signal.aborted) return;
      if (error.isFinal) { logout(`not logged in: ${error.message}`); return; }
      await rest(pause, error, ended.signal);
      pause = Math.min(2 * pause, LONGEST_PAUSE);
    }
  }
}

/** Shows a message, unless it is a redelivery of one that is known. */
function show({ FromUserName, Msg, Id }, known) {
  if (known.has(Id)) return;
  known.add(Id);
  // A Set keeps its order: the oldest is first.
  if (known.size > SHOWN) known.delete(known.values().next().value);
  const facts = part('span', 'facts', 'Id ');
  facts.append(part('code', 'id', Id));
  add('', part('b', 'from', FromUserName), part('span', 'text', Msg), facts);
}

/** Shows that messages expired before anyone received them. */
function missed(count) {
  add('gap', count === null ? 'Some messages may have expired before anyone received them.'
    : count === 1 ? 'One message expired before anyone received it.' : `${count} messages expired before anyone received them.`);
}

/** Waits a while after an error. The time is random, or all pages would come back together. */
function rest(pause, error, signal) {
  const ms = pause * (0.5 + Math.random() / 2);
  const when = ms < 1000 ? 'at once' : `in ${Math.round(ms / 1000)} s`;
  say(`no answer (${error.message}); asking again ${when}`);
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

/** Ends the login, and shows why. */
function logout(why) {
  login?.ended.abort();
  login = null;
  buttons();
  say(why);
}

/** Shows and enables the controls that make sense in the current state. */
function buttons() {
  $('enter').hidden = $('me').readOnly = login !== null;
  $('logout').hidden = $('post').disabled = login === null;
}

$('login').addEventListener('submit', e => {
  e.preventDefault();
  if (login) return;
  login = { me: $('me').value, ended: new AbortController() };
  buttons();
  $('to').focus();
  receive(login);
});

$('logout').addEventListener('click', () => { logout('not logged in'); $('me').focus(); });

$('send').addEventListener('submit', async e => {
  e.preventDefault();
  const [to, text] = [$('to').value, $('text').value];
  try {
    read(await post(new URLSearchParams({ action: 'send', me: login.me, toUserName: to, msg: text })));
    $('problem').textContent = '';
    $('text').value = '';
    add('aside', part('b', 'from', `to ${to}`), part('span', 'text', text));
  } catch (error) {
    $('problem').textContent = `Not sent: ${error.message}`;
  }
  $('text').focus();
});

// Some browsers remember over a reload which controls were disabled.
buttons();
