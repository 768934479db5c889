// The friends of /chat, and those who are to become friends.

import { $, href, isNewer, make } from './chat-page.js';

const COUNTED = 99;
const LISTS = { friend: 'friends', asking: 'asking', asked: 'asked' };

const byName = new Intl.Collator();
const open = () => document.querySelector('main').dataset.with;
const count = number => (number > COUNTED ? `${COUNTED}+` : String(number || ''));

export const people = new Map();

class Person {
  online = false;
  #row = null;
  // Unread messages: so many up to a cursor, and these since.
  #counted = 0;
  #upTo = null;
  #since = [];

  constructor(name) { this.name = name; }

  get unread() { return this.#counted + this.#since.length; }

  /** So many were unread at a cursor. */
  count(unread, upTo) {
    this.#counted = unread;
    this.#upTo = upTo;
    this.#since = this.#since.filter(cursor => isNewer(cursor, upTo));
  }

  said(cursor) {
    if (this.#since.length <= COUNTED) this.#since.push(cursor);
  }

  /** Read up to there, in this tab or another. Says whether that tells how many are left. */
  readThrough(cursor) {
    this.#since = this.#since.filter(other => isNewer(other, cursor));
    if (!isNewer(this.#upTo ?? cursor, cursor)) this.#counted = 0;
    return this.#counted === 0;
  }

  /** In the list, and above the conversation. */
  show() {
    const list = $(LISTS[this.standing]);
    if (this.#row?.parentNode !== list) this.#enter(list);
    if (this.standing === 'friend') {
      const isOpen = open() === this.name;
      const link = this.#row.querySelector('a');
      if (isOpen) link.setAttribute('aria-current', 'page'); else link.removeAttribute('aria-current');
      this.#row.querySelector('.unread').textContent = count(this.unread);
      const state = this.online ? 'online' : 'offline';
      const places = [this.#row.querySelector('.presence'), isOpen && document.querySelector('.talk-head .presence')];
      for (const place of places) if (place) place.textContent = place.dataset.state = state;
    }
    showUnread();
  }

  #enter(list) {
    this.leave();
    this.#row = make(`${this.standing}-row`, { name: this.name, href: href(this.name) }).firstElementChild;
    const behind = [...list.children].find(row => byName.compare(row.dataset.name, this.name) > 0);
    list.insertBefore(this.#row, behind ?? null);
  }

  leave() { this.#row?.remove(); }
}

/** Takes away the rows that the server has put there: what is known now makes its own. */
export function clear() {
  for (const list of Object.values(LISTS)) $(list).replaceChildren();
}

/** What somebody is to me from now on; null: nothing any more. */
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

/** All of them afresh, as they are at a cursor. */
export function standAsIn({ since, friends }) {
  const names = new Set(friends.map(({ name }) => name));
  for (const name of [...people.keys()]) if (!names.has(name)) stand(name, null);
  for (const { name, standing, online, unread } of friends) {
    stand(name, standing);
    const person = people.get(name);
    person.online = online;
    person.count(unread, since);
    person.show();
  }
}

/** In the title, for those who look at another tab. */
export function showUnread() {
  let all = 0;
  for (const person of people.values()) all += person.unread;
  const title = [open(), 'Chat', 'forever-frame'].filter(Boolean).join(' · ');
  document.title = all ? `(${count(all)}) ${title}` : title;
}
