// The conversation of /chat that is open: what was said, a page at a time, and what is being said.

import { $, ask, href, isNewer, make } from './chat-page.js';

const PAGE = 50, SHOWN = 1000;

/** The row of a message: mine, or that of who has said it. */
export function messageRow({ cursor, time, from, text }, who) {
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

function beginning(missed) {
  if (!missed) return 'Here it begins.';
  return `${missed} older ${missed === 1 ? 'message is' : 'messages are'} gone: older than what is kept.`;
}

export class Talk {
  #rows = new Map();
  #ends = new AbortController();
  #before = null;
  #loading = false;
  #observer;
  #view;
  #shown;

  /** `shown` is called when a page of it has been shown. */
  constructor(name, draft, shown) {
    this.name = name;
    this.#shown = shown;
    const pane = make('conversation-pane', { name, href: href(name) });
    // Where the focus goes is for who opens it to say.
    pane.querySelector('#msg').autofocus = false;
    $('conversation').replaceChildren(pane);
    this.#view = document.querySelector('div.talk');
    this.#view.hidden = false;
    $('msg').value = draft;
    // Who scrolls up to the button need not press it.
    const above = ([{ isIntersecting }]) => { if (isIntersecting) this.earlier(); };
    this.#observer = new IntersectionObserver(above, { root: this.#view });
    $('earlier').addEventListener('click', () => this.earlier());
    this.earlier();
  }

  close() {
    this.#ends.abort();
    this.#observer.disconnect();
    $('conversation').replaceChildren();
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
      this.#shown();
    } catch (error) {
      if (signal.aborted) return;
      $('start').textContent = ` What was said cannot be loaded: ${error.message}.`;
      $('earlier').hidden = false;
    } finally {
      this.#loading = false;
    }
  }

  /** Shows a message in its place, unless it is there. */
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

  /** Forgets the oldest of very many, while new ones come. They can be loaded again. */
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

  /** The newest that is shown. */
  get last() { return $('messages').lastElementChild?.dataset.cursor; }
}
