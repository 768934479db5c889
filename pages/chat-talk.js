// The open conversation of /chat: its history, one page at a time, and the messages that arrive.

import { $, ask, href, isNewer, make } from './chat-page.js';

const PAGE = 50, SHOWN = 1000;

/** Returns the row of a message; `who` is `me` or `them`. */
export function messageRow({ cursor, time, from, text }, who) {
  const row = make('message-row', { name: from, who, cursor, time, text }).firstElementChild;
  const at = new Date(time);
  row.querySelector('time').textContent = at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  row.day = at.toLocaleDateString([], { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
  return row;
}

/** Shows the day above a message if the message before it is from another day. */
function showDay(row) {
  if (row.previousElementSibling?.day === row.day) delete row.dataset.day;
  else row.dataset.day = row.day;
}

/** Returns what stands above the first message that is kept. */
function beginning(missed) {
  if (!missed) return 'The conversation begins here.';
  return `${missed} older ${missed === 1 ? 'message has' : 'messages have'} expired.`;
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

  /** Opens the conversation with the friend `name`. Calls `shown` after each page of messages is shown. */
  constructor(name, draft, shown) {
    this.name = name;
    this.#shown = shown;
    const pane = make('conversation-pane', { name, href: href(name) });
    // The caller decides where the focus goes.
    pane.querySelector('#msg').autofocus = false;
    $('conversation').replaceChildren(pane);
    this.#view = document.querySelector('div.talk');
    this.#view.hidden = false;
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
    $('msg').placeholder = 'You are no longer friends.';
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
      this.#before = before;
      $('earlier').hidden = before === null;
      $('start').textContent = before === null ? beginning(missed) : '';
      // If there is still room above, the observer fires at once.
      if (before !== null) this.#observer.observe($('earlier'));
      this.#shown();
    } catch (error) {
      if (signal.aborted) return;
      $('start').textContent = ` Earlier messages cannot be loaded: ${error.message}.`;
      $('earlier').hidden = false;
    } finally {
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
