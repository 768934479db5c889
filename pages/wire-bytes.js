// How bytes are shown: with signs for what does not print; and how many there are of things, in words.

import { t } from './words.js';

// Pieces that are longer than this are shown with a cut in the middle.
const PIECE = 260;

const utf8 = new TextEncoder();
/** Returns the length of a text in bytes. */
export const bytesIn = text => utf8.encode(text).length;
const number = n => n.toLocaleString('en');
/** How many there are of a thing, in words. */
export const count = {
  messages: n => (n === 1 ? t('1 message') : t('{n} messages', { n: number(n) })),
  lines: n => (n === 1 ? t('1 line') : t('{n} lines', { n: number(n) })),
  requests: n => (n === 1 ? t('1 request') : t('{n} requests', { n: number(n) })),
  heartbeats: n => (n === 1 ? t('1 heartbeat') : t('{n} heartbeats', { n: number(n) })),
  pieces: n => (n === 1 ? t('1 piece') : t('{n} pieces', { n: number(n) })),
};

/** Returns the time of day, to the millisecond. */
export function clock(now = new Date()) {
  const two = n => String(n).padStart(2, '0');
  return `${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}.${String(now.getMilliseconds()).padStart(3, '0')}`;
}

/** Returns an element with a class and children. */
export function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** Shows a text, with signs for line ends and other control characters. */
export function show(into, text) {
  for (const piece of text.split(/(\r|\n|[\0-\x08\x0b-\x1f\x7f])/)) {
    if (piece === '\n') into.append(element('i', '', '↵'), '\n');
    else if (piece === '\r') into.append(element('i', '', '␍'));
    else if (/^[\0-\x1f\x7f]$/.test(piece)) into.append(element('i', '', piece === '\x7f' ? '␡' : String.fromCharCode(0x2400 + piece.charCodeAt(0))));
    else into.append(piece);
  }
}

/** Shows a text, with a cut in the middle if it is long. */
export function showShort(into, text) {
  if (text.length <= PIECE) return show(into, text);
  const [head, tail] = [text.slice(0, PIECE * 0.6), text.slice(-PIECE * 0.2)];
  show(into, head);
  const n = text.length - head.length - tail.length;
  into.append(element('span', 'cut-out', ` … ${n === 1 ? t('1 more character') : t('{n} more characters', { n: number(n) })} … `));
  return show(into, tail);
}

/** One chunk as a script reads it. Which of its bytes belong to a message is known when the unit is complete,
    which may be some chunks later. */
export class Chunk {
  constructor(from, text, bytes) {
    Object.assign(this, { from, text, to: from + text.length, marks: [], kind: 'frame' });
    this.code = element('code');
    this.note = element('span', 'note');
    this.again = 0;
    this.late = 0;
    this.row = element('li', '', element('span', 'meta', `${clock()} ← ${bytes} B`, this.note), ' ', this.code);
    this.render();
  }

  // Marks the part of a message that lies in this chunk.
  mark(from, to, again) {
    if (to < this.from || from > this.to || (from < to && (to === this.from || from === this.to))) return;
    this.marks.push({ from: Math.max(from, this.from) - this.from, to: Math.min(to, this.to) - this.from, again });
  }

  render() {
    this.row.dataset.kind = this.kind;
    const notes = [];
    if (this.again) notes.push(` · ${t('{n} seen before, skipped', { n: this.again })}`);
    if (this.late) notes.push(` · ${t('{n} missed during the cut', { n: this.late })}`);
    this.note.textContent = notes.join('');
    this.code.replaceChildren();
    let at = 0;
    for (const { from, to, again } of this.marks) {
      showShort(this.code, this.text.slice(at, from));
      const mark = element('mark', again ? 'again' : '');
      showShort(mark, this.text.slice(from, to));
      this.code.append(mark);
      at = to;
    }
    showShort(this.code, this.text.slice(at));
  }
}
