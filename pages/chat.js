// The page /chat: friends, and a conversation with one of them. Two streams say all that happens;
// what this page does are plain requests, and it learns from the streams what came of them.
'use strict';

const $ = id => document.getElementById(id);
const PAGE = 50, SHOWN = 1000, WAITING = 50, COUNTED = 99;
const RETRY_STEP = 500, RETRY_MOST = 15000;
const LISTS = { friend: 'friends', asking: 'asking', asked: 'asked' };

const main = document.querySelector('main');
const byName = new Intl.Collator();
const href = name => `/chat/with/${encodeURIComponent(name)}`;
const seq = cursor => Number(cursor.slice(cursor.lastIndexOf('-') + 1));
const isNewer = (cursor, than) => seq(cursor) > seq(than);
const count = number => (number > COUNTED ? `${COUNTED}+` : String(number || ''));

/** To those who hear the page. */
function say(text) { $('said').textContent = text; }
function complain(text) { $('problem').textContent = text; }

/** A copy of one of the page's templates with its places filled: as text, never as HTML. */
function make(template, values) {
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
      // A place of its own among the attributes.
      if (name.startsWith('{{')) node.removeAttribute(name);
      else if (value.includes('{{')) node.setAttribute(name, fill(value));
    }
  }
  return copy;
}

// ---- Requests ----------------------------------------------------------------------------------

/** What the server says; with a form it is told something. Fails with the server's own sentence. */
async function ask(path, form, signal) {
  const response = await fetch(path, {
    method: form ? 'POST' : 'GET',
    body: form && new URLSearchParams(form),
    headers: { Accept: 'application/json' },
    cache: 'no-store',
    signal,
  });
  if (response.status === 401) return leave();
  if (response.status === 204) return null;
  const said = await response.json().catch(() => ({}));
  if (response.ok) return said;
  throw Object.assign(new Error(said.error ?? `the server answers ${response.status}`), { status: response.status });
}

/** The session has ended, here or in another tab. Nobody goes on while the page goes. */
function leave() {
  outbox.length = 0;
  location.replace('/chat/login');
  return new Promise(() => {});
}

/** Would the same request be refused again? */
const isFinal = ({ status }) => status >= 400 && status < 500 && status !== 408 && status !== 429;

let wake = () => {};
/** Waits longer each time, but no longer than until a stream is open again. */
function pause(tries) {
  const most = Math.min(RETRY_MOST, RETRY_STEP * 2 ** tries);
  return new Promise(resolve => {
    setTimeout(resolve, most * (0.5 + Math.random() / 2));
    wake = resolve;
  });
}

// ---- Friends, and those who are to become friends ----------------------------------------------

const people = new Map();

class Person {
  online = false;
  row = null;
  // Unread messages: so many up to a cursor, and these since.
  counted = 0;
  upTo = null;
  since = [];

  constructor(name) { this.name = name; }

  get unread() { return this.counted + this.since.length; }

  said(cursor) {
    if (this.since.length <= COUNTED) this.since.push(cursor);
  }

  /** Read up to there, in this tab or another. Does that say how many are left? */
  readThrough(cursor) {
    this.since = this.since.filter(other => isNewer(other, cursor));
    if (!isNewer(this.upTo ?? cursor, cursor)) this.counted = 0;
    return this.counted === 0;
  }

  show() {
    const list = $(LISTS[this.standing]);
    if (this.row?.parentNode !== list) {
      this.row?.remove();
      this.row = make(`${this.standing}-row`, { name: this.name, href: href(this.name), state: 'offline' }).firstElementChild;
      const behind = [...list.children].find(row => byName.compare(row.dataset.name, this.name) > 0);
      list.insertBefore(this.row, behind ?? null);
    }
    if (this.standing !== 'friend') return;
    showPresence(this.row, this.online);
    this.row.querySelector('.unread').textContent = count(this.unread);
    const link = this.row.querySelector('a');
    if (talk?.name === this.name) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
}

function showPresence(element, online) {
  const presence = element.querySelector('.presence');
  presence.textContent = presence.dataset.state = online ? 'online' : 'offline';
}

function showUnread() {
  let all = 0;
  for (const person of people.values()) all += person.unread;
  const before = all ? `(${count(all)}) ` : '';
  document.title = `${before}${talk ? `${talk.name} · ` : ''}Chat · forever-frame`;
}

/** What somebody is to me from now on; null: nothing any more. */
function stand(name, standing) {
  if (standing === null) {
    people.get(name)?.row?.remove();
    people.delete(name);
    if (talk?.name === name) talk.over();
  } else {
    if (!people.has(name)) people.set(name, new Person(name));
    people.get(name).standing = standing;
    people.get(name).show();
  }
  showUnread();
}

/** All of them afresh, as they are at a cursor. */
function standAsIn({ since, friends }) {
  const names = new Set(friends.map(({ name }) => name));
  for (const name of [...people.keys()]) if (!names.has(name)) stand(name, null);
  for (const { name, standing, online, unread } of friends) {
    stand(name, standing);
    const person = people.get(name);
    Object.assign(person, { online, counted: unread, upTo: since });
    person.since = person.since.filter(cursor => isNewer(cursor, since));
    person.show();
    if (talk?.name === name) showPresence($('conversation'), online);
  }
  showUnread();
}

// ---- The conversation that is open -------------------------------------------------------------

let talk = null;
const drafts = new Map();

class Talk {
  #rows = new Map();
  #ends = new AbortController();
  #before = null;
  #loading = false;
  #observer;

  constructor(name) {
    this.name = name;
    const { online } = people.get(name);
    $('conversation').replaceChildren(make('conversation-pane', { name, href: href(name) }));
    showPresence($('conversation'), online);
    const view = document.querySelector('div.talk');
    view.hidden = false;
    $('msg').value = drafts.get(name) ?? '';
    for (const letter of outbox) if (letter.to === name) $('pending').append(letter.row);
    // Who scrolls up to the button need not press it.
    this.#observer = new IntersectionObserver(([{ isIntersecting }]) => { if (isIntersecting) this.earlier(); }, { root: view });
    $('earlier').addEventListener('click', () => this.earlier());
    this.earlier();
  }

  close() {
    this.#ends.abort();
    this.#observer.disconnect();
    drafts.set(this.name, $('msg').value);
  }

  /** They are no longer friends: what was said may still be read here. */
  over() {
    for (const field of $('send').elements) field.disabled = true;
    $('msg').placeholder = 'You are no longer friends.';
    document.querySelector('.more').hidden = true;
  }

  /** Loads a page of what was said before what is shown. The view keeps its distance from its end,
      so what is read stays where it is. */
  async earlier() {
    if (this.#loading) return;
    this.#loading = true;
    this.#observer.disconnect();
    const query = new URLSearchParams({ limit: PAGE, ...this.#before && { before: this.#before } });
    const { signal } = this.#ends;
    try {
      const { messages, before, missed } = await ask(`${href(this.name)}?${query}`, undefined, signal);
      if (signal.aborted) return;
      for (const message of messages) this.add(message);
      this.#before = before;
      $('earlier').hidden = before === null;
      $('start').textContent = before === null ? beginning(missed) : '';
      // Is there still room above? Then it is seen at once.
      if (before !== null) this.#observer.observe($('earlier'));
      seen();
    } catch (error) {
      if (signal.aborted) return;
      $('start').textContent = ` What was said cannot be loaded: ${error.message}.`;
      $('earlier').hidden = false;
    } finally {
      this.#loading = false;
    }
  }

  /** Shows a message in its place, unless it is there. */
  add({ cursor, time, from, text }) {
    if (this.#rows.has(cursor)) return;
    const [list, row] = [$('messages'), messageRow({ cursor, time, from, text })];
    let [low, high] = [0, list.children.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isNewer(cursor, list.children[middle].dataset.cursor)) low = middle + 1; else high = middle;
    }
    this.#rows.set(cursor, row);
    list.insertBefore(row, list.children[low] ?? null);
    for (const changed of [row, row.nextElementSibling]) if (changed) showDay(changed);
  }

  /** Forgets the oldest of very many, while new ones come. They can be loaded again. */
  trim() {
    const list = $('messages');
    if (list.children.length <= SHOWN || document.querySelector('div.talk').scrollTop < -100) return;
    while (list.children.length > SHOWN) {
      this.#rows.delete(list.firstElementChild.dataset.cursor);
      list.firstElementChild.remove();
    }
    this.#before = list.firstElementChild.dataset.cursor;
    $('earlier').hidden = false;
    $('start').textContent = '';
    this.#observer.observe($('earlier'));
  }

  /** The newest that is shown. */
  get last() { return $('messages').lastElementChild?.dataset.cursor; }
}

function beginning(missed) {
  if (missed) return `${missed} older ${missed === 1 ? 'message is' : 'messages are'} gone: older than what is kept.`;
  return 'Here it begins.';
}

function messageRow({ cursor, time, from, text }) {
  const who = from === me ? 'me' : 'them';
  const row = make('message-row', { name: from, who, cursor, time, text }).firstElementChild;
  const at = new Date(time);
  row.querySelector('time').textContent = at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  row.day = at.toLocaleDateString([], { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
  return row;
}

/** Says the day, if the message before is of another one. */
function showDay(row) {
  if (row.previousElementSibling?.day === row.day) delete row.dataset.day;
  else row.dataset.day = row.day;
}

/** Opens the conversation with a friend, or none. */
function open(name) {
  if (talk?.name === name) return;
  const before = people.get(talk?.name);
  talk?.close();
  talk = null;
  const person = people.get(name);
  if (person?.standing === 'friend') talk = new Talk(name);
  else $('conversation').replaceChildren();
  main.dataset.with = talk?.name ?? '';
  for (const changed of [before, person]) changed?.show();
  showUnread();
}

/** The same, as a step that leads back. */
function go(name) {
  if (talk?.name !== name) history.pushState(null, '', name ? href(name) : '/chat');
  open(name);
  // On a screen that is touched, the keyboard would cover what is to be read.
  if (talk) $(matchMedia('(hover: hover)').matches ? 'msg' : 'talk-title').focus();
}

function nameInAddress() {
  const [, name] = /^\/chat\/with\/(.+)$/.exec(location.pathname) ?? [];
  return name && decodeURIComponent(name);
}

// ---- What is read ------------------------------------------------------------------------------

// What the server is still to be told: how far, of whom.
const read = new Map();
let telling = false;

/** What is open in a page that is looked at is read. */
function seen() {
  const person = people.get(talk?.name);
  if (!person?.unread || document.hidden || !talk.last) return;
  // All that came before this has been shown, too.
  const through = isNewer(own.cursor, talk.last) ? own.cursor : talk.last;
  person.counted = 0;
  person.since = [];
  person.show();
  showUnread();
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

// ---- What is sent ------------------------------------------------------------------------------

const outbox = [];
let delivering = false;

/** A key makes a message one message, however often it is sent. */
const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');

function send(to, text) {
  const row = messageRow({ cursor: '', time: new Date().toISOString(), from: me, text });
  row.querySelector('time').textContent = 'sending …';
  outbox.push({ to, text, row, key: newKey(), arrived: false });
  $('pending').append(row);
  deliver();
}

/** Sends what waits, one after the other: they are to arrive in their order. */
async function deliver() {
  if (delivering) return;
  delivering = true;
  for (let tries = 0; outbox.length;) {
    const [letter] = outbox;
    const { to, text, key, row } = letter;
    try {
      const { cursor, time } = await ask(href(to), { msg: text, key });
      row.remove();
      if (talk?.name === to) talk.add({ cursor, time, from: me, text });
      complain('');
    } catch (error) {
      if (!isFinal(error)) {
        row.className = 'me late';
        row.querySelector('time').textContent = 'not sent, trying again';
        await pause(tries++);
        continue;
      }
      row.remove();
      complain(`Not sent to ${to}: ${error.message}`);
      giveBack(to, text);
    }
    tries = 0;
    outbox.shift();
  }
  delivering = false;
}

/** What was refused is not lost to who wrote it. */
function giveBack(to, text) {
  const draft = talk?.name === to ? $('msg').value : drafts.get(to);
  const whole = draft ? `${text}\n${draft}` : text;
  if (talk?.name === to) $('msg').value = whole; else drafts.set(to, whole);
}

/** A message that I have sent comes by the stream, perhaps before the answer to its sending. If it
    is not that one, but has the same words, then the answer will say so. */
function arrived({ to, text }) {
  const [letter] = outbox;
  if (!letter || letter.arrived || letter.to !== to || letter.text !== text) return;
  letter.arrived = true;
  letter.row.remove();
}

// ---- What the streams say ----------------------------------------------------------------------

let me, own, presence;
let looking = false, lookAgain = false;

function heard({ cursor, time = new Date().toISOString(), data }) {
  const { from, to, text } = JSON.parse(data);
  const person = people.get(from === me ? to : from);
  if (from === me) arrived({ to, text });
  else person?.said(cursor);
  if (person && talk?.name === person.name) {
    talk.add({ cursor, time, from, text });
    talk.trim();
    seen();
  }
  if (from !== me) say(`${from}: ${text}`);
  person?.show();
  showUnread();
}

function befriended({ data }) {
  const { name, change } = JSON.parse(data);
  stand(name, change === 'gone' ? null : change);
  if (change === 'asking') say(`${name} asks to be your friend.`);
  if (change === 'friend') say(`${name} is your friend now.`);
  // Who is new: are they online?
  look();
}

function readElsewhere({ data }) {
  const { name, through } = JSON.parse(data);
  const person = people.get(name);
  if (!person) return;
  if (!person.readThrough(through)) look();
  person.show();
  showUnread();
}

function cameOrWent({ data }) {
  const { name, online } = JSON.parse(data);
  const person = people.get(name);
  if (!person || person.online === online) return;
  person.online = online;
  person.show();
  if (talk?.name === name) showPresence($('conversation'), online);
  say(`${name} is ${online ? 'online' : 'offline'}.`);
}

// Tabs share a stream if its address is the same: those of another account shall not.
const mine = path => `${path}#${encodeURIComponent(me)}`;

/** My own stream. EventSource would not tell the time of a message. */
function follow(since) {
  own?.close();
  own = new ForeverFrame(mine('/chat/stream'), { since, events: ['message', 'friends', 'read'], transports: ['ndjson', 'script', 'json'] });
  own.addEventListener('message', heard);
  own.addEventListener('friends', befriended);
  own.addEventListener('read', readElsewhere);
  own.addEventListener('gap', begin);
  own.addEventListener('open', () => { wake(); tellRead(); });
  own.addEventListener('state', ({ state }) => {
    $('state').className = state === 'waiting' ? 'broken' : '';
    // Is it the line that has ended, or the session?
    if (state === 'waiting') ask('/chat/friends').catch(() => {});
  });
  own.show($('state'));
}

function watch(since) {
  presence?.close();
  presence = new ForeverFrame(mine('/chat/presence'), { since, events: ['presence'] });
  presence.addEventListener('presence', cameOrWent);
  presence.addEventListener('gap', look);
}

/** How all stands at this moment; asks until somebody answers. */
async function snapshot() {
  for (let tries = 0; ; tries += 1) {
    try {
      return await ask('/chat/friends');
    } catch (error) {
      $('state').textContent = `not connected (${error.message}), trying again soon`;
      await pause(tries);
    }
  }
}

/** Looks afresh who is a friend and who is online, and listens from there. */
async function look() {
  lookAgain = true;
  if (looking) return;
  looking = true;
  while (lookAgain) {
    lookAgain = false;
    const said = await snapshot();
    standAsIn(said);
    watch(said.presence);
  }
  looking = false;
}

/** From the beginning; also where something of my stream is gone. */
async function begin() {
  const said = await snapshot();
  me = said.me;
  if (!own) for (const list of Object.values(LISTS)) $(list).replaceChildren();
  standAsIn(said);
  follow(said.since);
  watch(said.presence);
  const name = talk?.name ?? nameInAddress();
  // What the server has put there may have been written into by now.
  if ($('msg') && name) drafts.set(name, $('msg').value);
  open(undefined);
  open(name);
  if (talk) $('msg').focus();
}

// ---- What is done ------------------------------------------------------------------------------

async function change(form, submitter) {
  const fields = new FormData(form, submitter);
  const action = fields.get('action');
  try {
    const { name, standing } = await ask('/chat/friends', fields);
    complain('');
    stand(name, standing);
    if (action === 'ask') form.reset();
    if (standing === 'asked') say(`You have asked ${name}.`);
    if (action === 'remove' && talk?.name === name) go(undefined);
    if (standing === 'friend') look();
  } catch (error) {
    complain(error.message);
  }
}

document.addEventListener('submit', e => {
  const form = e.target;
  if (!me) return;
  if (form.id === 'send') {
    e.preventDefault();
    const text = $('msg').value.trimEnd();
    if (!text) return;
    if (outbox.length >= WAITING) return complain(`${WAITING} messages wait to be sent. Send more when they are on their way.`);
    $('msg').value = '';
    drafts.delete(talk.name);
    send(talk.name, text);
    $('msg').focus();
  } else if (form.getAttribute('action') === '/chat/friends') {
    e.preventDefault();
    change(form, e.submitter);
  }
});

document.addEventListener('click', e => {
  const link = e.target.closest('#friends a, .back');
  if (!link || !me || e.button || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return;
  e.preventDefault();
  go(link.closest('li')?.dataset.name);
});

document.addEventListener('keydown', e => {
  // An Enter that ends a word of Chinese or Japanese is none of ours.
  if (e.target.id !== 'msg' || e.key !== 'Enter' || e.shiftKey || e.isComposing) return;
  e.preventDefault();
  $('send').requestSubmit();
});

addEventListener('popstate', () => open(nameInAddress()));
document.addEventListener('visibilitychange', seen);
addEventListener('online', () => wake());
addEventListener('beforeunload', e => { if (outbox.length) e.preventDefault(); });

begin();
