// The time line under the panels: half a minute, a row for each transport and one for the sender. It is drawn
// anew several times a second, and can be saved as a picture.

import { count } from './wire-bytes.js';
import { t } from './words.js';

const SECONDS = 30;
const ROW = 19, TOP = 4, LABEL = 96, END = 150, BAR = 11;
const SVG = 'http://www.w3.org/2000/svg';
const KEPT = 4000;
// What the picture takes from the style sheet.
const COLORS = ['--text', '--muted', '--rule', '--panel', '--accent', '--wash', '--warn', '--warn-wash'];

/** Returns an element of SVG with these attributes. */
function svg(name, attributes = {}, text = '') {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}

/** A row: {as, name, requests: [{from, head?, to?, isCut?}], arrivals: [{at, isMessage}], writes: [at]}. */
const row = (as, name) => ({ as, name, requests: [], arrivals: [], writes: [] });

export const timeline = {
  rows: new Map(),
  sends: [],
  frozen: null,

  /** Begins to draw into an element. `transports` are pairs of a transport and its name. */
  begin(root, transports) {
    this.root = root;
    for (const [as, name] of transports) this.rows.set(as, row(as, name));
    this.picture = svg('svg', { role: 'img', class: 'timeline' });
    root.querySelector('.picture').append(this.picture);
    root.querySelector('.freeze').addEventListener('click', event => this.freeze(event.target));
    root.querySelector('.save').addEventListener('click', () => this.save());
    const often = matchMedia('(prefers-reduced-motion: reduce)').matches ? 1000 : 200;
    setInterval(() => { if (!document.hidden && this.frozen === null) this.draw(); }, often);
    addEventListener('resize', () => this.draw());
    this.draw();
  },

  /** A request of a panel goes out. Returns it, to be told what becomes of it. */
  request(as) {
    const request = { from: performance.now() };
    this.keep(this.rows.get(as).requests, request);
    return request;
  },
  head(request) { request.head = performance.now(); },
  over(request, isCut) {
    if (request.to) return;
    request.to = performance.now();
    request.isCut = isCut;
  },
  /** Bytes have come to a panel. */
  arrival(as, isMessage) { this.keep(this.rows.get(as).arrivals, { at: performance.now(), isMessage }); },
  /** The server has written to a panel's socket. */
  write(as, at) { this.keep(this.rows.get(as).writes, at); },
  /** The sender's POST goes out. */
  send() {
    const send = { from: performance.now() };
    this.keep(this.sends, send);
    return send;
  },

  // Half a minute ends before this many things have happened, or the oldest are not drawn.
  keep(list, thing) {
    list.push(thing);
    if (list.length > KEPT) list.splice(0, list.length - KEPT / 2);
  },

  freeze(button) {
    this.frozen = this.frozen === null ? performance.now() : null;
    button.setAttribute('aria-pressed', String(this.frozen !== null));
    this.draw();
  },

  draw() {
    const now = this.frozen ?? performance.now();
    const width = Math.max(320, this.root.querySelector('.picture').clientWidth);
    const end = width < 560 ? 8 : END;
    const span = width - LABEL - end;
    const x = time => Math.round((LABEL + span * (1 - Math.min(1, Math.max(0, (now - time) / (SECONDS * 1000))))) * 10) / 10;
    const isSeen = time => now - time <= SECONDS * 1000;
    const height = TOP + (this.rows.size + 1) * ROW + 18;
    const parts = [svg('title', {}, t('The last 30 seconds of each transport'))];
    const said = [];
    let y = TOP;
    for (const line of this.rows.values()) {
      const { name, requests, arrivals, writes } = line;
      const [bars, waits, cuts, ticks, beats, socket] = ['', '', '', '', '', ''].map(() => []);
      const mid = y + ROW / 2;
      const seen = requests.filter(request => isSeen(request.to ?? now));
      for (const { from, head, to, isCut } of seen) {
        // The answer is held from the request to the head of the answer.
        const [a, b, c] = [x(from), x(head ?? to ?? now), x(to ?? now)];
        // Each held answer is a bar of its own, also where the next request follows at once.
        const held = Math.max(1, b - a - 3);
        if (b - a >= 1) waits.push(`M${a} ${mid - BAR / 2}h${held}v${BAR}h${-held}z`);
        if (c > b) bars.push(`M${b} ${mid - BAR / 2}h${Math.max(1, c - b)}v${BAR}h${-Math.max(1, c - b)}z`);
        if (isCut && to) cuts.push(`M${c - 4} ${mid - 5}l8 10m0-10l-8 10`);
      }
      const came = arrivals.filter(({ at }) => isSeen(at));
      for (const { at, isMessage } of came) (isMessage ? ticks : beats).push(`M${x(at)} ${isMessage ? mid - 8 : mid - 3}v${isMessage ? 16 : 6}`);
      const wrote = writes.filter(isSeen);
      for (const at of wrote) socket.push(`M${x(at) - 3} ${y}h6l-3 4z`);
      const path = (d, kind) => { if (d.length) parts.push(svg('path', { d: d.join(''), class: kind })); };
      parts.push(svg('line', { x1: LABEL, x2: LABEL + span, y1: y + ROW, y2: y + ROW, class: 'rule' }));
      parts.push(svg('text', { x: 0, y: mid + 4, class: 'name' }, name));
      path(waits, 'held');
      path(bars, 'open');
      path(beats, 'beat');
      path(ticks, 'message');
      path(socket, 'socket');
      path(cuts, 'cut');
      const sum = seen.length ? [count.requests(seen.length), count.pieces(came.length)].join(t(', ')) : t('not asked');
      if (end === END) parts.push(svg('text', { x: LABEL + span + 8, y: mid + 4, class: 'sum' }, sum));
      said.push(t('{name}: {sum}', { name, sum }));
      y += ROW;
    }
    const sends = this.sends.filter(({ from }) => isSeen(from));
    const lines = sends.map(({ from }) => `M${x(from)} ${TOP}V${y + ROW - 3}`).join('');
    if (lines) parts.push(svg('path', { d: lines, class: 'send' }));
    const posts = sends.map(({ from, to }) => `M${x(from)} ${y + 4}h${Math.max(3, x(to ?? now) - x(from))}v${BAR}h${-Math.max(3, x(to ?? now) - x(from))}z`).join('');
    if (posts) parts.push(svg('path', { d: posts, class: 'message' }));
    parts.push(svg('text', { x: 0, y: y + ROW / 2 + 4, class: 'name' }, 'POST'));
    const sent = t('{n} sent', { n: sends.length });
    if (end === END) parts.push(svg('text', { x: LABEL + span + 8, y: y + ROW / 2 + 4, class: 'sum' }, sent));
    said.push(t('{name}: {sum}', { name: 'POST', sum: sent }));
    for (let seconds = 0; seconds <= SECONDS; seconds += 5) {
      const at = x(now - seconds * 1000);
      parts.push(svg('line', { x1: at, x2: at, y1: TOP, y2: y + ROW, class: 'rule' }));
      if (end === END || seconds % 10 === 0) parts.push(svg('text', { x: at, y: y + ROW + 13, class: seconds ? 'sum at' : 'sum now' }, seconds ? t('−{n} s', { n: seconds }) : t('now')));
    }
    this.picture.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.picture.setAttribute('width', width);
    this.picture.setAttribute('height', height);
    this.picture.setAttribute('aria-label', t('The last {n} seconds. {all}.', { n: SECONDS, all: said.join(t('. ')) }));
    this.picture.replaceChildren(...parts);
  },

  // Saves what is seen as a file that needs no style sheet.
  save() {
    const copy = this.picture.cloneNode(true);
    copy.setAttribute('xmlns', SVG);
    const style = getComputedStyle(this.root);
    let rules = [...document.styleSheets].flatMap(sheet => [...sheet.cssRules])
      .map(rule => rule.cssText).filter(rule => rule.startsWith('.timeline')).join('\n');
    for (const name of COLORS) rules = rules.replaceAll(`var(${name})`, style.getPropertyValue(name).trim());
    copy.prepend(svg('style', {}, `${rules}\n.timeline { background: ${style.getPropertyValue('--panel').trim()}; font-family: sans-serif; }`));
    const file = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(copy)], { type: 'image/svg+xml' }));
    const link = document.createElement('a');
    Object.assign(link, { href: file, download: 'wire-timeline.svg' });
    link.click();
    setTimeout(() => URL.revokeObjectURL(file), 1000);
  },
};
