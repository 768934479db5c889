// The page /chat: friends, and a conversation with one of them. Two streams say all that happens;
// what is done here are plain requests, and what came of them is learned from the streams.

import { $, ask, complain, href, hurry, isFinal, isLeft, isNewer, leave, pause, say } from './chat-page.js';
import { clear, people, showUnread, stand, standAsIn } from './chat-people.js';
import { Outbox } from './chat-outbox.js';
import { Talk } from './chat-talk.js';

const UNSENT = 50;
// In seconds: both sides are to notice soon when a line has broken without a word.
const HEARTBEAT = 5;

let me, own, presence, talk;

// ---- Opening and closing conversations ----

const drafts = new Map();

/** Opens the conversation with a friend, or none. */
function open(name) {
  const [before, person] = [people.get(talk?.name), people.get(name)];
  if (talk) {
    drafts.set(talk.name, $('msg').value);
    talk.close();
  }
  const isFriend = person?.standing === 'friend';
  talk = isFriend ? new Talk(name, drafts.get(name) ?? '', seen) : null;
  if (talk) $('pending').append(...outbox.rows(name));
  document.querySelector('main').dataset.with = talk?.name ?? '';
  for (const changed of [before, person]) changed?.show();
  showUnread();
}

/** The same, as a step that leads back. */
function go(name, isTouched = false) {
  if (talk?.name !== name) {
    history.pushState(null, '', name ? href(name) : '/chat');
    open(name);
  }
  // Where fingers write, the keyboard would cover what is to be read.
  if (talk) $(isTouched ? 'talk-title' : 'msg').focus();
}

function nameInAddress() {
  const [, name] = /^\/chat\/with\/(.+)$/.exec(location.pathname) ?? [];
  return name && decodeURIComponent(name);
}

// ---- What is read ----

// What the server is still to be told: of whom, and how far.
const read = new Map();
let telling = false;

/** What is open in a page that is looked at is read. */
function seen() {
  const person = people.get(talk?.name);
  if (!person?.unread || document.hidden || !talk.last) return;
  // All that came before this has been shown, too.
  const through = own && isNewer(own.cursor, talk.last) ? own.cursor : talk.last;
  person.count(0, through);
  person.show();
  read.set(person.name, through);
  tellRead();
}

/** One request at a time, so that many messages are few requests. */
async function tellRead() {
  if (telling) return;
  telling = true;
  while (read.size) {
    const [[name, through]] = read;
    try {
      await ask(`/chat/read/${encodeURIComponent(name)}`, { through });
    } catch (error) {
      // Else it is said when the stream is open again.
      if (!isFinal(error)) break;
    }
    if (read.get(name) === through) read.delete(name);
  }
  telling = false;
}

// ---- What is sent ----

const outbox = new Outbox(delivered, refused);

function delivered(message) {
  if (talk?.name === message.to) talk.add(message);
  complain('');
}

/** What was refused is not lost to who wrote it. */
function refused({ to, text }, why) {
  complain(`Not sent to ${to}: ${why}`);
  const isOpen = talk?.name === to;
  const draft = isOpen ? $('msg').value : drafts.get(to);
  const both = draft ? `${text}\n${draft}` : text;
  if (isOpen) $('msg').value = both; else drafts.set(to, both);
}

function send() {
  const text = $('msg').value.trimEnd();
  if (!text) return;
  if (outbox.length >= UNSENT) return complain(`${UNSENT} messages wait to be sent. Send more when they are on their way.`);
  $('msg').value = '';
  $('pending').append(outbox.send(me, talk.name, text));
  $('msg').focus();
}

// ---- What the streams say ----

function heard({ cursor, time, data }) {
  const { from, to, text } = JSON.parse(data);
  const person = people.get(from === me ? to : from);
  if (from === me) {
    outbox.cameBack({ to, text });
  } else {
    person?.said(cursor);
    say(`${from}: ${text}`);
  }
  if (person && talk?.name === person.name) {
    talk.add({ cursor, time, from, text });
    talk.trim();
    seen();
  }
  person?.show();
}

function befriended({ data }) {
  const { name, change } = JSON.parse(data);
  become(name, change === 'gone' ? null : change);
  if (change === 'asking') say(`${name} asks to be your friend.`);
  if (change === 'friend') say(`${name} is your friend now.`);
}

function become(name, standing) {
  stand(name, standing);
  if (standing === null && talk?.name === name) talk.over();
  // Is the new friend online?
  if (standing === 'friend') look();
}

function readElsewhere({ data }) {
  const { name, through } = JSON.parse(data);
  const person = people.get(name);
  if (!person) return;
  if (!person.readThrough(through)) look();
  person.show();
}

function cameOrWent({ data }) {
  const { name, online } = JSON.parse(data);
  const person = people.get(name);
  if (!person || person.online === online) return;
  person.online = online;
  person.show();
  say(`${name} is ${online ? 'online' : 'offline'}.`);
}

// ---- The streams ----

/** With my name: if somebody else logs in with this browser, this page is not to get theirs. */
const mine = path => `${path}?of=${encodeURIComponent(me)}`;

/** My own stream. EventSource would not tell the time of a message. */
function follow(since) {
  own?.close();
  const events = ['message', 'friends', 'read'], transports = ['ndjson', 'script', 'json'];
  own = new ForeverFrame(mine('/chat/stream'), { since, events, transports, heartbeat: HEARTBEAT });
  own.addEventListener('message', heard);
  own.addEventListener('friends', befriended);
  own.addEventListener('read', readElsewhere);
  own.addEventListener('gap', begin);
  own.addEventListener('open', () => { hurry(); tellRead(); });
  own.addEventListener('state', ({ state }) => {
    $('state').className = state === 'waiting' ? 'broken' : '';
    // Is it the line that has ended, or the session?
    if (state === 'waiting') stands().catch(() => {});
  });
  own.show($('state'));
}

function watch(since) {
  presence?.close();
  presence = new ForeverFrame(mine('/chat/presence'), { since, events: ['presence'] });
  presence.addEventListener('presence', cameOrWent);
  presence.addEventListener('gap', look);
}

/** How all stands at this moment. */
async function stands() {
  const said = await ask('/chat/friends');
  if (me && said.me !== me) await leave('/chat');
  return said;
}

/** The same; asks until somebody answers. */
async function snapshot() {
  for (let tries = 0; ; tries += 1) {
    try {
      return await stands();
    } catch (error) {
      $('state').textContent = `not connected (${error.message}), trying again soon`;
      await pause(tries);
    }
  }
}

let looking = false, again = false;

/** Looks afresh who is a friend and who is online, and listens from there. */
async function look() {
  again = true;
  if (looking) return;
  looking = true;
  while (again) {
    again = false;
    const said = await snapshot();
    standAsIn(said);
    watch(said.presence);
  }
  looking = false;
}

/** From the beginning; also where some of my stream is gone. */
async function begin() {
  const said = await snapshot();
  if (!me) clear();
  me = said.me;
  standAsIn(said);
  follow(said.since);
  watch(said.presence);
  const name = document.querySelector('main').dataset.with;
  if (name) {
    // The server finds a name however it is written.
    history.replaceState(null, '', href(name));
    // And what it has put there may have been written into by now.
    if (!talk) drafts.set(name, $('msg').value);
  }
  open(name);
  $('msg')?.focus();
}

// ---- What is done ----

async function change(form, submitter) {
  const fields = new FormData(form, submitter);
  const action = fields.get('action');
  try {
    const { name, standing } = await ask('/chat/friends', fields);
    complain('');
    if (action === 'ask') form.reset();
    if (action === 'remove' && talk?.name === name) go(undefined);
    become(name, standing);
    if (standing === 'asked') say(`You have asked ${name}.`);
  } catch (error) {
    complain(error.message);
  }
}

document.addEventListener('submit', e => {
  const isSending = e.target.id === 'send';
  // Until all is known, forms work as they do without scripts.
  if (!me || !(isSending || e.target.getAttribute('action') === '/chat/friends')) return;
  e.preventDefault();
  if (isSending) send(); else change(e.target, e.submitter);
});

document.addEventListener('click', e => {
  const link = e.target.closest('#friends a, .back');
  if (!link || !me || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return;
  e.preventDefault();
  go(link.closest('li')?.dataset.name, e.pointerType === 'touch');
});

document.addEventListener('keydown', e => {
  // An Enter that ends a word of Chinese or Japanese is none of ours.
  if (e.target.id !== 'msg' || e.key !== 'Enter' || e.shiftKey || e.isComposing) return;
  e.preventDefault();
  $('send').requestSubmit();
});

addEventListener('popstate', () => open(nameInAddress()));
document.addEventListener('visibilitychange', seen);
addEventListener('online', hurry);
addEventListener('beforeunload', e => { if (outbox.length && !isLeft) e.preventDefault(); });

begin();
