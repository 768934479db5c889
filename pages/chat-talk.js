// The open conversation of /chat: its history, one page at a time, and the messages that arrive.

import { $, ask, href, isNewer, make } from './chat-page.js';
import { locale, t } from './words.js';

const PAGE = 50, SHOWN = 1000;

/** Returns a text as its parts, in which addresses of the web are links. */
function linked(text) {
  return text.split(/(\bhttps?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]])/).map((part, index) => {
    if (index % 2 === 0) return part;
    const link = document.createElement('a');
    Object.assign(link, { href: part, textContent: part, target: '_blank', rel: 'noopener noreferrer nofollow' });
    return link;
  });
}

/** Returns the row of a message; `who` is `me` or `them`. */
export function messageRow({ cursor, time, from, text }, who) {
  const row = make('message-row', { name: from, who, cursor, time, text }).firstElementChild;
  const at = new Date(time);
  row.querySelector('.text').replaceChildren(...linked(text));
  row.minute = at.toLocaleTimeString(locale, { hour: '2-digit', minute: '2-digit' });
  row.querySelector('time').textContent = row.minute;
  row.who = who;
  row.day = at.toLocaleDateString(locale, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
  return row;
}

/** Shows the day above a message if the message before it is from another day. */
function showDay(row) {
  if (row.previousElementSibling?.day === row.day) delete row.dataset.day;
  else row.dataset.day = row.day;
}

/** Shows the time under a message unless the next one is of the same person and minute. */
function showMinute(row) {
  const next = row.nextElementSibling;
  row.classList.toggle('goes-on', next?.who === row.who && next.minute === row.minute && next.day === row.day);
}

/** Returns what stands above the first message that is kept. */
function beginning(missed) {
  if (!missed) return t('The conversation begins here.');
  return missed === 1 ? t('1 older message has expired.') : t('{n} older messages have expired.', { n: missed });
}

/** The conversation that is open. */
export class Talk {
  #rows = new Map();
  #ends = new AbortController();
  #before = null;
  #loading = false;
  #observer;
  #view;
  #shown;
  #unread;

  /** Opens the conversation with the friend `name`, of which so many messages are unread. Calls `shown` when
      other messages are in sight. */
  constructor(name, draft, unread, shown) {
    this.name = name;
    this.#unread = unread;
    this.#shown = shown;
    const pane = make('conversation-pane', { name, href: href(name) });
    // The caller decides where the focus goes.
    pane.querySelector('#msg').autofocus = false;
    $('conversation').replaceChildren(pane);
    this.#view = document.querySelector('div.talk');
    this.#view.hidden = false;
    this.#view.classList.add('is-loading');
    this.#view.addEventListener('scroll', () => shown(), { passive: true });
    $('newer').addEventListener('click', () => { this.#view.scrollTop = 0; $('msg').focus(); });
    $('msg').value = draft;
    // A reader who scrolls up to the button need not press it.
    const above = ([{ isIntersecting }]) => { if (isIntersecting) this.earlier(); };
    this.#observer = new IntersectionObserver(above, { root: this.#view });
    $('earlier').addEventListener('click', () => this.earlier());
    this.earlier();
  }

  /** Removes the conversation from the page. */
  close() {
    this.#ends.abort();
    this.#observer.disconnect();
    $('conversation').replaceChildren();
  }

  /** Ends the writing when the two are no longer friends; what was said can still be read here. */
  over() {
    for (const field of $('send').elements) field.disabled = true;
    $('msg').placeholder = t('You are no longer friends.');
    document.querySelector('.more').hidden = true;
  }

  /** Loads the page of messages before those that are shown. The view keeps its distance from its end,
      so the text that is being read stays in place. */
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
      this.#markUnread();
      this.#before = before;
      $('earlier').hidden = before === null;
      $('start').textContent = before === null ? beginning(missed) : '';
      // If there is still room above, the observer fires at once.
      if (before !== null) this.#observer.observe($('earlier'));
      this.#shown();
    } catch (error) {
      if (signal.aborted) return;
      $('start').textContent = ` ${t('Earlier messages cannot be loaded: {error}.', { error: error.message })}`;
      $('earlier').hidden = false;
    } finally {
      this.#view.classList.remove('is-loading');
      this.#loading = false;
    }
  }

  /** Inserts a message in order, unless it is shown already. */
  add(message) {
    const { cursor, from } = message;
    if (this.#rows.has(cursor)) return;
    const list = $('messages'), row = messageRow(message, from === this.name ? 'them' : 'me');
    let [low, high] = [0, list.children.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isNewer(cursor, list.children[middle].dataset.cursor)) low = middle + 1; else high = middle;
    }
    this.#rows.set(cursor, row);
    list.insertBefore(row, list.children[low] ?? null);
    for (const changed of [row, row.nextElementSibling]) if (changed) showDay(changed);
    for (const changed of [row, row.previousElementSibling]) if (changed) showMinute(changed);
  }

  /** Whether the newest message is in sight. The column is reversed, so its scrolling begins there. */
  get isAtEnd() { return this.#view.scrollTop > -40; }

  /** Says how many messages have come that are not in sight. */
  showNewer(unread) {
    const button = $('newer');
    button.hidden = !unread || this.isAtEnd;
    button.textContent = t('↓ {n} new', { n: unread });
  }

  /** Draws a line above a message, which is the first that is unread. */
  markNew(cursor) {
    if ($('messages').querySelector('.new-since')) return;
    const row = this.#rows.get(cursor);
    if (!row) return;
    const line = document.createElement('p');
    line.className = 'new-since';
    line.textContent = t('New since {time}', { time: row.minute });
    row.prepend(line);
  }

  /** Marks the last of my messages that the friend has read, up to this cursor. */
  showSeen(through) {
    const mine = [...$('messages').children].filter(row => row.who === 'me' && through && !isNewer(row.dataset.cursor, through));
    const last = mine.at(-1), before = $('messages').querySelector('.seen');
    if (before?.closest('li') === last) return;
    before?.remove();
    if (!last) return;
    const mark = document.createElement('small');
    mark.className = 'seen';
    mark.textContent = t('seen');
    last.firstElementChild.append(mark);
  }

  /** Removes that line, when its messages have been read and answered. */
  unmark() { $('messages').querySelector('.new-since')?.remove(); }

  /** Draws the line above the first of the messages that were unread when the conversation was opened. */
  #markUnread() {
    const theirs = [...$('messages').children].filter(row => row.who === 'them');
    if (!this.#unread || theirs.length < this.#unread) return;
    this.markNew(theirs[theirs.length - this.#unread].dataset.cursor);
    this.#unread = 0;
  }

  /** Removes the oldest messages when there are very many and new ones come. They can be loaded again. */
  trim() {
    const list = $('messages');
    const isReadAbove = this.#view.scrollTop < -100;
    if (list.children.length <= SHOWN || isReadAbove || this.#loading) return;
    while (list.children.length > SHOWN) {
      this.#rows.delete(list.firstElementChild.dataset.cursor);
      list.firstElementChild.remove();
    }
    showDay(list.firstElementChild);
    this.#before = list.firstElementChild.dataset.cursor;
    $('earlier').hidden = false;
    $('start').textContent = '';
    this.#observer.observe($('earlier'));
  }

  /** The cursor of the newest message that is shown. */
  get last() { return $('messages').lastElementChild?.dataset.cursor; }
}
