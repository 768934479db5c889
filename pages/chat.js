// The page /chat: friends, and a conversation with one of them. Two streams bring everything that
// happens. The user's own acts are plain requests, and the page learns their effects from the streams.

import { $, ask, complain, href, hurry, isFinal, isLeft, isNewer, leave, pause, say } from './chat-page.js';
import { Drafts } from './chat-drafts.js';
import { clear, people, showUnread, stand, standAsIn } from './chat-people.js';
import { Outbox } from './chat-outbox.js';
import { at, showState } from './page.js';
import { Talk } from './chat-talk.js';
import { t } from './words.js';

const UNSENT = 50;
// In seconds: both sides should notice soon when a connection has broken silently.
const HEARTBEAT = 5;

let me, own, presence, talk;

// ---- Opening and closing conversations ----

let drafts;

/** Opens the conversation with the friend `name`, or none. */
function open(name) {
  const [before, person] = [people.get(talk?.name), people.get(name)];
  if (talk) {
    drafts.set(talk.name, $('msg').value);
    talk.close();
  }
  const isFriend = person?.standing === 'friend';
  talk = isFriend ? new Talk(name, drafts.get(name), person.unread, seen) : null;
  if (talk) $('pending').append(...outbox.rows(name));
  document.querySelector('main').dataset.with = talk?.name ?? '';
  for (const changed of [before, person]) changed?.show();
  showUnread();
}

/** Opens a conversation as a step of the browser's history, so that Back leads back. */
function go(name, isTouched = false) {
  if (talk?.name !== name) {
    // Back leads to the list, and so does the link that says so.
    if (!name && history.state?.isAfterList) return history.back();
    history.pushState({ isAfterList: name !== undefined && !talk }, '', name ? href(name) : at('/chat'));
    open(name);
  }
  // On a touch screen, the keyboard would cover the messages.
  if (talk) $(isTouched ? 'talk-title' : 'msg').focus();
}

/** Returns the name of the friend in the page's address. */
function nameInAddress() {
  const [, name] = /^\/chat\/with\/(.+)$/.exec(location.pathname.slice(at('').length)) ?? [];
  return name && decodeURIComponent(name);
}

// ---- Reading ----

// The read marks that the server has not been told yet: friend to cursor.
const read = new Map();
let telling = false;

/** Marks the open conversation as read if its newest message is in sight. */
function seen() {
  const person = people.get(talk?.name);
  if (!person) return;
  showSeen();
  talk.showNewer(person.unread);
  if (!person.unread || document.hidden || !talk.last || !talk.isAtEnd) return;
  // Everything up to the newer of the two has been shown.
  const through = own && isNewer(own.cursor, talk.last) ? own.cursor : talk.last;
  person.count(0, through);
  person.show();
  read.set(person.name, through);
  tellRead();
}

/** Sends the read marks, one request at a time, so that many messages take few requests. */
async function tellRead() {
  if (telling) return;
  telling = true;
  while (read.size) {
    const [[name, through]] = read;
    try {
      await ask(at(`/chat/read/${encodeURIComponent(name)}`), { through });
    } catch (error) {
      // Otherwise it is sent when the stream is open again.
      if (!isFinal(error)) break;
    }
    if (read.get(name) === through) read.delete(name);
  }
  telling = false;
}

// ---- Sending ----

const outbox = new Outbox(delivered, refused);

/** Shows a message that the server took. */
function delivered(message) {
  if (talk?.name === message.to) talk.add(message);
  showSeen();
  complain('');
}

/** Puts a message that was refused back into the draft, so that its text is not lost. */
function refused({ to, text }, why) {
  complain(t('Not sent to {to}: {why}', { to, why }));
  const isOpen = talk?.name === to;
  const draft = isOpen ? $('msg').value : drafts.get(to);
  const both = draft ? `${text}\n${draft}` : text;
  if (isOpen) $('msg').value = both; else drafts.set(to, both);
}

/** Sends the text of the form. */
function send() {
  const text = $('msg').value.trimEnd();
  if (!text) return;
  if (outbox.length >= UNSENT) return complain(t('{n} messages are waiting to be sent. Send more when they have arrived.', { n: UNSENT }));
  $('msg').value = '';
  drafts.set(talk.name, '');
  talk.unmark();
  $('pending').append(outbox.send(me, talk.name, text));
  $('msg').focus();
}

// ---- Receiving ----

/** Shows a message that the stream brings. */
function heard({ cursor, time, data }) {
  const { from, to, text } = JSON.parse(data);
  const person = people.get(from === me ? to : from);
  if (from === me) {
    outbox.onStreamed({ to, text });
  } else {
    person?.addUnread(cursor);
    say(`${from}: ${text}`);
  }
  if (person && talk?.name === person.name) {
    talk.add({ cursor, time, from, text });
    if (from !== me && (document.hidden || !talk.isAtEnd)) talk.markNew(cursor);
    talk.trim();
    seen();
  }
  person?.show();
}

/** Takes over a change of a friendship that the stream brings. */
function befriended({ data }) {
  const { name, change } = JSON.parse(data);
  become(name, change === 'gone' ? null : change);
  if (change === 'asking') say(t('{name} asks to be your friend.', { name }));
  if (change === 'friend') say(t('{name} is your friend now.', { name }));
}

/** Shows what an account has become to the user. */
function become(name, standing) {
  stand(name, standing);
  if (standing !== 'friend' && talk?.name === name) talk.over();
  // The list of friends says whether the new friend is online.
  if (standing === 'friend') look();
}

/** Takes over a read mark, which may come from another tab or device. */
function readElsewhere({ data }) {
  const { name, through } = JSON.parse(data);
  const person = people.get(name);
  if (!person) return;
  if (!person.readThrough(through)) look();
  person.show();
}

/** Shows that a friend has read what was said. */
function seenByFriend({ data }) {
  const { name, through } = JSON.parse(data);
  const person = people.get(name);
  if (!person) return;
  person.seen = through;
  showSeen();
}

/** Marks in the open conversation how far the friend has read it. */
function showSeen() { talk?.showSeen(people.get(talk.name)?.seen); }

/** Shows that a friend has come online or gone offline. */
function cameOrWent({ data }) {
  const { name, online } = JSON.parse(data);
  const person = people.get(name);
  if (!person || person.online === online) return;
  person.online = online;
  person.show();
  say(online ? t('{name} is online.', { name }) : t('{name} is offline.', { name }));
}

// ---- The streams ----

/** Returns a path with the user's name: if another user logs in with this browser, this page must not
    get that user's stream. */
const mine = path => `${path}?of=${encodeURIComponent(me)}`;

/** Opens the user's own stream. It does not use EventSource, which would not tell the time of a message. */
function follow(since) {
  own?.close();
  const events = ['message', 'friends', 'read', 'seen'], transports = ['ndjson', 'script', 'json'];
  own = new ForeverFrame(mine(at('/chat/stream')), { since, events, transports, heartbeat: HEARTBEAT });
  own.addEventListener('message', heard);
  own.addEventListener('friends', befriended);
  own.addEventListener('read', readElsewhere);
  own.addEventListener('seen', seenByFriend);
  own.addEventListener('gap', begin);
  own.addEventListener('open', () => { hurry(); tellRead(); });
  own.addEventListener('state', ({ state }) => {
    $('state').className = state === 'waiting' ? 'broken' : state === 'live' ? 'fine' : '';
    document.querySelector('main').dataset.line = state === 'waiting' ? 'broken' : '';
    for (const person of people.values()) person.show();
    // Either the connection has broken or the session has ended; this request finds out.
    if (state === 'waiting') stands().catch(() => {});
  });
  showState(own, $('state'));
}

/** Opens the stream that says who is online. */
function watch(since) {
  presence?.close();
  presence = new ForeverFrame(mine(at('/chat/presence')), { since, events: ['presence'], background: false });
  presence.addEventListener('presence', cameOrWent);
  presence.addEventListener('gap', look);
}

/** Asks for the list of friends and the cursors at which it is true. */
async function stands() {
  const overview = await ask(at('/chat/friends'));
  if (me && overview.me !== me) await leave(at('/chat'));
  return overview;
}

/** Asks for the list of friends until the server answers. */
async function snapshot() {
  for (let tries = 0; ; tries += 1) {
    try {
      return await stands();
    } catch (error) {
      $('state').textContent = t('not connected ({error}), trying again soon', { error: error.message });
      await pause(tries);
    }
  }
}

let looking = false, again = false;

/** Asks again who is a friend and who is online, and follows presence from there. */
async function look() {
  again = true;
  if (looking) return;
  looking = true;
  while (again) {
    again = false;
    const overview = await snapshot();
    standAsIn(overview);
    watch(overview.presence);
  }
  looking = false;
}

/** Loads everything from the beginning, when the page starts and after a gap in the user's own stream. */
async function begin() {
  const overview = await snapshot();
  if (!me) clear();
  me = overview.me;
  drafts ??= new Drafts(me);
  standAsIn(overview);
  follow(overview.since);
  watch(overview.presence);
  const name = document.querySelector('main').dataset.with;
  if (name) {
    // The server finds a name in any spelling; the address gets the right one.
    history.replaceState(null, '', href(name));
    // The user may already have typed into the form that came with the page.
    if (!talk && $('msg')?.value) drafts.set(name, $('msg').value);
  }
  open(name);
  $('msg')?.focus();
}

// ---- What the user does ----

/** Sends a form about a friendship. */
async function change(form, submitter) {
  const fields = new FormData(form, submitter);
  const action = fields.get('action');
  try {
    const { name, standing } = await ask(at('/chat/friends'), fields);
    complain('');
    if (action === 'ask') form.reset();
    if ((action === 'remove' || action === 'block') && talk?.name === name) go(undefined);
    become(name, standing);
    // The button that was pressed is gone; the focus goes to what has come of it.
    if (action === 'accept') [...document.querySelectorAll('#friends li')].find(row => row.dataset.name === name)?.querySelector('a').focus();
    else if (document.activeElement === document.body) $('friends-title').focus();
    if (action === 'remove') sayWhatIsLeft(name);
    if (standing === 'asked') say(t('You have asked {name}.', { name }));
    if (standing === 'blocked') say(t('You have blocked {name}.', { name }));
  } catch (error) {
    complain(error.message);
  }
}

/** Says where a conversation can be read that is over. */
function sayWhatIsLeft(name) {
  const link = document.createElement('a');
  Object.assign(link, { href: href(name), textContent: t('What was said can still be read.') });
  $('problem').replaceChildren(t('You and {name} are no longer friends.', { name }), ' ', link);
}

document.addEventListener('submit', e => {
  const isSending = e.target.id === 'send';
  // Until the list of friends is there, forms work as they do without scripts.
  if (!me || !(isSending || e.target.getAttribute('action') === at('/chat/friends'))) return;
  e.preventDefault();
  if (isSending) send(); else change(e.target, e.submitter);
});

document.addEventListener('click', e => {
  const link = e.target.closest('#friends a, .back');
  if (!link || !me || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return;
  e.preventDefault();
  go(link.closest('li')?.dataset.name, e.pointerType === 'touch');
});

document.addEventListener('input', e => { if (me && talk && e.target.id === 'msg') drafts.set(talk.name, e.target.value); });

/** Closes the menu of a conversation, as menus do. */
function closeMore(focus) {
  const more = document.querySelector('.more[open]');
  if (!more) return;
  more.open = false;
  if (focus) more.querySelector('summary').focus();
}

document.addEventListener('click', e => { if (!e.target.closest('.more')) closeMore(false); });
document.addEventListener('keydown', e => { if (e.key === 'Escape') closeMore(true); });

document.addEventListener('keydown', e => {
  // An Enter that ends a word of Chinese or Japanese does not send.
  if (e.target.id !== 'msg' || e.key !== 'Enter' || e.shiftKey || e.isComposing) return;
  e.preventDefault();
  $('send').requestSubmit();
});

addEventListener('popstate', () => open(nameInAddress()));
document.addEventListener('visibilitychange', seen);
addEventListener('online', hurry);
addEventListener('beforeunload', e => { if (outbox.length && !isLeft) e.preventDefault(); });

begin();
