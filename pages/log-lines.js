// The lines of the live log page: what came in the page itself, and what a stream brings after it.

import { colored } from './colors.js';
import { part } from './page.js';
import { locale, t } from './words.js';

/** The widest label in front of a line, in characters. */
const WIDEST_LABEL = 32;

const number = n => n.toLocaleString('en');
const two = n => String(n).padStart(2, '0');
const months = [t('Jan'), t('Feb'), t('Mar'), t('Apr'), t('May'), t('Jun'), t('Jul'), t('Aug'), t('Sep'), t('Oct'), t('Nov'), t('Dec')];
const today = new Date().toDateString();

/** Returns a time as it stands in front of a line: with the day if that is another one. It is made by hand,
    since there may be very many. */
function shownTime(time) {
  const at = new Date(time);
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return at.toDateString() === today ? clock : t('{day} {month} {clock}', { day: two(at.getDate()), month: months[at.getMonth()], clock });
}

/** The lines. What a stream brings is shown once for each picture that the browser paints: with very many lines
    each time costs milliseconds. */
export class Lines {
  #list; #view; #most; #label = 0; #unseen = 0; #sought = ''; #changed; #count = 0; #isAtEnd = true;
  #waiting = []; #timer = null; #last;

  /** Keeps at most `most` lines. Calls `changed` when what is shown of them in numbers may be another. */
  constructor(view, most, changed) {
    [this.#view, this.#list, this.#most, this.#changed] = [view, view.querySelector('.lines'), most, changed];
    view.addEventListener('scroll', () => {
      // The column is reversed, so its scrolling begins at the end.
      this.#isAtEnd = view.scrollTop > -40;
      if (this.#isAtEnd) this.#unseen = 0;
      changed();
    }, { passive: true });
    view.addEventListener('pointerover', e => {
      const line = e.target.closest('.message');
      if (line && e.target.matches('.at')) e.target.title = t('{time}, cursor {cursor}', { time: new Date(line.dataset.time).toLocaleString(locale), cursor: line.dataset.cursor });
    });
  }

  /** How many lines have come that nobody has seen. */
  get unseen() { return this.#unseen; }
  /** The number of lines that are kept, and the number of those that are shown. */
  get counts() {
    const all = this.#count;
    return { all, shown: this.#sought ? this.#list.querySelectorAll('.message:not([hidden])').length : all };
  }
  /** The cursor of the last element that has one. */
  get cursor() { return this.#last; }

  /** Gives each of these elements its time, which is also a link to it. */
  adopt(elements) {
    let isNew = 0;
    for (const element of elements) {
      const { cursor, time, channel, event } = element.dataset ?? {};
      if (cursor) this.#last = cursor;
      if (!element.classList?.contains('message') || element.id) continue;
      element.id = cursor;
      const at = part('a', 'at', shownTime(time));
      at.href = `#${cursor}`;
      element.prepend(at);
      const label = Math.min(channel.length + (event === 'message' ? 0 : event.length + 1), WIDEST_LABEL);
      if (label > this.#label) {
        this.#label = label;
        this.#list.style.setProperty('--label', `${label}ch`);
      }
      if (this.#sought) this.#hide(element);
      isNew += 1;
    }
    this.#count += isNew;
    if (!this.#isAtEnd) this.#unseen += isNew;
    this.#trim();
    if (isNew) this.#changed();
  }

  /** Appends a message that a stream has brought. */
  add({ cursor, channel, event, time, data }) {
    const line = part('p', 'message');
    line.dir = 'auto';
    Object.assign(line.dataset, { cursor, channel, event, time });
    const text = part('span');
    text.append(colored(data));
    line.append(text);
    this.#append(line);
  }

  /** Appends what a stream says of itself. */
  say(kind, text, data = {}) {
    const line = part('p', kind, text);
    Object.assign(line.dataset, data);
    this.#append(line);
  }

  #append(line) {
    if (line.dataset.cursor) this.#last = line.dataset.cursor;
    this.#waiting.push(line);
    // What would be removed at once need not be shown.
    if (this.#waiting.length > this.#most) this.#waiting.shift();
    this.#timer ??= document.hidden ? setTimeout(() => this.#show(), 200) : requestAnimationFrame(() => this.#show());
  }

  #show() {
    this.#timer = null;
    const lines = this.#waiting.splice(0);
    this.#list.append(...lines);
    this.adopt(lines);
  }

  /** Shows only the lines that have this text in them. */
  seek(text) {
    this.#sought = text.toLowerCase();
    for (const line of this.#list.querySelectorAll('.message')) this.#hide(line);
    this.#changed();
  }

  /** Leads to the newest line. */
  toEnd() {
    this.#view.scrollTop = 0;
    this.#unseen = 0;
    this.#changed();
  }

  #hide(line) {
    const isHidden = this.#sought !== '' && !line.textContent.toLowerCase().includes(this.#sought);
    if (line.hidden !== isHidden) line.hidden = isHidden;
  }

  #trim() {
    while (this.#count > this.#most && this.#list.firstElementChild) {
      if (this.#list.firstElementChild.classList.contains('message')) this.#count -= 1;
      this.#list.firstElementChild.remove();
    }
  }
}

/** Returns how many lines there are, in words. */
export function countInWords({ all, shown }) {
  const lines = all === 1 ? t('1 line') : t('{n} lines', { n: number(all) });
  return shown === all ? lines : t('{n} of {lines}', { n: number(shown), lines });
}
