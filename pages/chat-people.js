// The people of /chat: friends, the accounts that have asked or been asked to become friends, and those that are blocked.

import { $, href, isNewer, make } from './chat-page.js';
import { t } from './words.js';

const COUNTED = 99;
const PRESENCE = { unknown: t('unknown'), online: t('online'), offline: t('offline') };
const LISTS = { friend: 'friends', asking: 'asking', asked: 'asked', blocked: 'blocked' };

const byName = new Intl.Collator();
/** Whether this page does not hear who comes and goes. */
const isLineBroken = () => document.querySelector('main').dataset.line === 'broken';
/** Returns the name of the friend whose conversation is open. */
const open = () => document.querySelector('main').dataset.with;
/** Returns a number of unread messages as it is shown: nothing for 0, and at most "99+". */
const count = number => (number > COUNTED ? `${COUNTED}+` : String(number || ''));

/** The people that are known, by name. */
export const people = new Map();

/** A friend, or an account that is to become one, with its row in the list. */
class Person {
  online = false;
  /** The cursor up to which a friend has read what was said. */
  seen = null;
  #row = null;
  // Unread messages: their number up to a cursor, and the cursors of those after it.
  #counted = 0;
  #upTo = null;
  #since = [];

  constructor(name) { this.name = name; }

  /** The number of unread messages of a friend; 0 for an account that is none. */
  get unread() { return this.standing === 'friend' ? this.#counted + this.#since.length : 0; }

  /** Takes over the server's count of the messages that were unread at the cursor `upTo`. */
  count(unread, upTo) {
    this.#counted = unread;
    this.#upTo = upTo;
    this.#since = this.#since.filter(cursor => isNewer(cursor, upTo));
  }

  /** Counts a new unread message. */
  addUnread(cursor) {
    if (this.#since.length <= COUNTED) this.#since.push(cursor);
  }

  /** Takes note that messages up to the cursor have been read, in this tab or another one. Returns
      whether the number of those left is known; if it is not, the server must be asked. */
  readThrough(cursor) {
    this.#since = this.#since.filter(other => isNewer(other, cursor));
    if (!isNewer(this.#upTo ?? cursor, cursor)) this.#counted = 0;
    return this.#counted === 0;
  }

  /** Brings the row in the list, and the header of the conversation, up to date. */
  show() {
    const list = $(LISTS[this.standing]);
    if (this.#row?.parentNode !== list) this.#enter(list);
    if (this.standing === 'friend') {
      const isOpen = open() === this.name;
      const link = this.#row.querySelector('a');
      if (isOpen) link.setAttribute('aria-current', 'page'); else link.removeAttribute('aria-current');
      this.#row.querySelector('.unread').textContent = count(this.unread);
      const state = isLineBroken() ? 'unknown' : this.online ? 'online' : 'offline';
      const places = [this.#row.querySelector('.presence'), isOpen && document.querySelector('.talk-head .presence')];
      for (const place of places) if (place) [place.textContent, place.dataset.state] = [PRESENCE[state], state];
    }
    showUnread();
  }

  /** Puts a new row into a list, in order of names. */
  #enter(list) {
    this.leave();
    this.#row = make(`${this.standing}-row`, { name: this.name, href: href(this.name) }).firstElementChild;
    const next = [...list.children].find(row => byName.compare(row.dataset.name, this.name) > 0);
    list.insertBefore(this.#row, next ?? null);
  }

  /** Removes the row. */
  leave() { this.#row?.remove(); }
}

/** Removes the rows that came with the page; this script makes its own. */
export function clear() {
  for (const list of Object.values(LISTS)) $(list).replaceChildren();
}

/** Sets what the account `name` is to the user: friend, asking, asked or blocked, or null for none of these. */
export function stand(name, standing) {
  if (standing === null) {
    people.get(name)?.leave();
    people.delete(name);
    return showUnread();
  }
  if (!people.has(name)) people.set(name, new Person(name));
  people.get(name).standing = standing;
  people.get(name).show();
}

/** Replaces all people by those in the server's answer, which is true at the cursor `since`. */
export function standAsIn({ since, friends }) {
  const names = new Set(friends.map(({ name }) => name));
  for (const name of [...people.keys()]) if (!names.has(name)) stand(name, null);
  for (const { name, standing, online, unread, seen } of friends) {
    stand(name, standing);
    const person = people.get(name);
    person.online = online;
    person.seen = seen;
    person.count(unread, since);
    person.show();
  }
}

/** Shows the number of unread messages in the title, where it can be seen from other tabs. */
export function showUnread() {
  let all = 0;
  for (const person of people.values()) all += person.unread;
  const title = [open(), t('Chat'), 'forever-frame'].filter(Boolean).join(' · ');
  document.title = all ? `(${count(all)}) ${title}` : title;
}
