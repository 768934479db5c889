// A panel of /wire: one transport, its bytes and its figures.
import { READERS } from './wire-readers.js';
import { Chunk, bytesIn, clock, count, element } from './wire-bytes.js';
import { known, parse } from './wire-log.js';
import { ask } from './wire-path.js';
import { Writes } from './wire-socket.js';
import { tap } from './wire-tap.js';
import { timeline } from './wire-timeline.js';
import { at } from './page.js';
import { t } from './words.js';

export const CHANNEL = at('/c/wire');
const QUIET = 'heartbeat=5s';
// After so many seconds a heartbeat is missing.
const SILENT = 8;
// Bounds of what a panel keeps: the page may stay open all day.
const ROWS = 40;
const IDLE_ROWS = 4;

export const TRANSPORTS = {
  // counts: the transport carries no cursor, so the panel counts messages. returns: its usual clients
  // reconnect after a failure by themselves; gives: what they do at an error status instead, if that is
  // something else. short: its name in the row of connections.
  text: { short: t('text'), counts: true },
  html: { short: 'html' },
  script: { short: 'iframe', returns: true },
  sse: { short: 'SSE', returns: true, gives: t('ended: an EventSource stops for good at an error') },
  ndjson: { short: 'NDJSON', returns: true },
  json: { short: t('long poll'), returns: true, poll: true },
};

const STATES = {
  off: t('not started'),
  connecting: t('asking …'),
  queued: t('waiting for a free connection'),
  open: t('open'),
  silent: t('silent'),
  waiting: t('open, answer held back'),
  cut: t('cut'),
  broken: t('broken, retrying soon'),
  ended: t('ended, not reconnecting'),
};

/** Returns in words what was wrong: what a browser says of a server that it cannot reach differs. */
export const inWords = error => (error instanceof TypeError ? t('the server does not answer') : error.message);

export class Panel {
  // page: {pressed(panel), changed(), choose(part, button)}.
  constructor(section, page) {
    this.page = page;
    this.as = section.dataset.as;
    Object.assign(this, TRANSPORTS[this.as]);
    this.section = section;
    this.name = section.querySelector('h2').firstChild.textContent.trim();
    section.append(document.querySelector('#panel').content.cloneNode(true));
    const find = css => section.querySelector(css);
    this.at = { state: find('.state'), cursor: find('.cursor'), taken: find('.taken'), price: find('.price'), button: find('.cut'), missed: element('li', 'missed'), chunks: find('.chunks') };
    find('.script-side').setAttribute('aria-label', t('Bytes of {name}', { name: this.name }));
    find('.socket-side').setAttribute('aria-label', t('Writes to the socket of {name}', { name: this.name }));
    this.writes = new Writes(find('.writes'), page.choose);
    this.line = document.querySelector(`.wire-table tr[data-as="${this.as}"]`);
    const about = section.querySelector(':scope > p');
    about.id = `about-${this.as}`;
    const ask = find('.about');
    ask.setAttribute('aria-label', t('About {name}', { name: this.name }));
    ask.setAttribute('aria-controls', about.id);
    ask.addEventListener('click', () => {
      about.hidden = !about.hidden;
      ask.setAttribute('aria-expanded', String(!about.hidden));
    });
    about.hidden = true;
    this.cursor = null;
    this.messages = 0;
    // The number of these that are past the cursor at which counting begins.
    this.lines = 0;
    this.heartbeats = 0;
    this.requests = 0;
    this.bytes = 0;
    this.heads = 0;
    // The number of messages still to be skipped: they come again, since only a count says where to go on.
    this.skip = 0;
    // When bytes came last, how late the latest message was, and what became of the connections that broke.
    this.heard = 0;
    this.late = null;
    // How far the rows were moved sideways, to show the latest message.
    this.moved = 0;
    this.breaks = [];
    this.control = null;
    this.at.button.addEventListener('click', () => page.pressed(this));
    this.is('off');
  }

  // Whether the panel holds a connection, or is trying to get one.
  get isOn() {
    return this.control !== null;
  }

  // Shows a state.
  is(state, words = STATES[state]) {
    this.state = state;
    this.section.dataset.state = state;
    this.at.state.textContent = words;
    const { name } = this;
    const [verb, label] = this.isOn ? [t('Cut'), t('Cut {name}', { name })]
      : state === 'off' ? [t('Start'), t('Start {name}', { name })] : [t('Resume'), t('Resume {name}', { name })];
    this.at.button.textContent = verb;
    this.at.button.setAttribute('aria-label', label);
    this.page.changed();
  }

  // Ends the panel's connection.
  cut(why = t('cut')) {
    this.control.abort();
    this.control = null;
    this.away = true;
    this.is('cut');
    this.add(element('li', 'request', `${clock()} ✂ ${why}`));
  }

  // Asks again from where the panel is, with the tap or without.
  again() {
    if (!this.isOn) return;
    this.cut(t('asked for again'));
    this.start();
  }

  // Says for how long nothing has come, although a heartbeat is due every five seconds.
  look() {
    const silent = Math.floor((Date.now() - this.heard) / 1000);
    if (!['open', 'silent'].includes(this.state) || silent < SILENT) return;
    if (this.state === 'open') this.is('silent');
    this.at.state.textContent = t('silent for {n} s', { n: silent });
  }

  // Opens the panel's connection.
  start() {
    this.control = new AbortController();
    this.run(this.control.signal);
  }

  // Asks, and asks again if the transport does so, until the panel is cut.
  async run(signal) {
    for (let failures = 0; ;) {
      let [gives, goesOn] = [null, this.returns];
      try {
        await this.answer(signal);
        failures = 0;
        if (signal.aborted) return;
        if (this.poll) continue;
        this.add(element('li', 'request', `${clock()} ■ ${t('the server has ended the response')}`));
      } catch (error) {
        if (signal.aborted) return;
        this.add(element('li', 'request', `${clock()} ✂ ${t('broken: {why}', { why: inWords(error) })}`));
        failures += 1;
        if (error.status) gives = this.gives;
        if (error.isOfTap) goesOn = true;
      }
      this.away = true;
      this.breaks.push({ at: performance.now() });
      if (this.breaks.length > 9) this.breaks.shift();
      if (!goesOn || gives) {
        this.control = null;
        return this.is('ended', gives ?? STATES.ended);
      }
      this.is('broken');
      await new Promise(done => { setTimeout(done, Math.min(1000 * 2 ** (failures - 1), 15000)); });
      if (signal.aborted) return;
    }
  }

  // The request that the panel sends next: its address, its headers, and what of both says where to go on.
  next() {
    const since = this.counts ? this.base ?? known.start : this.cursor ?? known.start;
    const byHeader = this.as === 'sse' && this.cursor !== null;
    const query = [`as=${this.as}`, ...byHeader ? [] : [`since=${since}`], this.poll ? 'wait=20s' : QUIET];
    // An EventSource sends this header by itself.
    const headers = byHeader ? { 'Last-Event-ID': since } : {};
    return { since, byHeader, query, headers };
  }

  // Sends one request, and reads its response to the end.
  async answer(signal) {
    this.is('connecting');
    await known.ready;
    if (signal.aborted) return;
    // The head of a long poll comes with its answer, so nobody can tell whether it waits for that or for a connection.
    const queued = this.poll ? undefined : setTimeout(() => this.is('queued'), 2000);
    let [response, read, row] = [];
    const request = timeline.request(this.as);
    const isCut = () => timeline.over(request, true);
    signal.addEventListener('abort', isCut);
    try {
      const { since, byHeader, query, headers } = this.next();
      this.cursor = since;
      if (this.counts) {
        this.base = since;
        this.skip = this.lines;
      }
      this.missing = this.away ? known.after(this).length : 0;
      this.away = false;
      const tapped = tap.id;
      const url = `${CHANNEL}?${query.join('&')}${tapped ? `&tap=${tapped}` : ''}`;
      row = element('li', 'request', `${clock()} → GET ${CHANNEL}?${query[0]}`);
      if (byHeader) row.append(`&${query[1]} ${t('with')} `, element('b', '', `Last-Event-ID: ${since}`));
      else row.append('&', element('b', '', query[1]), `&${query[2]}`);
      this.requests += 1;
      this.add(row);
      this.update();
      if (this.poll) this.is('waiting');
      ({ response, read } = await ask(url, { signal, cache: 'no-store', headers }));
      this.asking = requestBytes(url) + (byHeader ? since.length + 17 : 0);
      timeline.head(request);
      this.heading = headBytes(response);
      this.heads += this.heading;
      row.append(` ⇒ ${t('{status}, {n} B of headers', { status: response.status, n: this.heading })}`);
      // Of several servers that share the log, the one that answers.
      if (response.headers.get('Log-Server')) row.append(t(', from {server}', { server: response.headers.get('Log-Server') }));
      if (response.status === 400 && tapped) {
        tap.unknown(tapped);
        throw Object.assign(new Error(t('the tap is gone, and another is opened')), { isOfTap: true });
      }
      if (!response.ok) throw Object.assign(new Error(t('the answer is {status}', { status: response.status })), { status: response.status });
      this.heard = Date.now();
      clearTimeout(queued);
      if (!this.poll) this.is('open');
      const last = this.breaks.at(-1);
      if (last && !last.back) last.back = performance.now();
      await this.read(read);
      timeline.over(request, false);
    } finally {
      clearTimeout(queued);
      signal.removeEventListener('abort', isCut);
      timeline.over(request, true);
    }
  }

  // Shows the chunks of a response as they come.
  async read(read) {
    const decoder = new TextDecoder();
    const next = READERS[this.as]();
    const open = [];
    let [rest, at, seen] = ['', 0, 0];
    for (;;) {
      const { done, value } = await read();
      const text = done ? decoder.decode() : decoder.decode(value, { stream: true });
      this.heard = Date.now();
      if (this.state === 'silent') this.is('open');
      if (!done) {
        this.bytes += value.length;
        const chunk = new Chunk(seen, text, value.length);
        seen += text.length;
        open.push(chunk);
        this.add(chunk.row);
      }
      rest += text;
      const before = this.messages;
      for (let found; rest && (found = next(rest, done));) {
        this.take(found, rest.slice(0, found.length), at, open);
        at += found.length;
        rest = rest.slice(found.length);
      }
      if (!done || this.messages > before) timeline.arrival(this.as, this.messages > before);
      for (const chunk of open) chunk.render();
      if (this.messages > before) this.reveal();
      while (open.length && open[0].to <= at) open.shift();
      this.update();
      if (done) return;
    }
  }

  // Moves the rows sideways, so that the latest message is in sight, unless the reader has moved them.
  reveal() {
    const side = this.at.chunks.parentNode;
    const mark = [...side.querySelectorAll('mark')].at(-1);
    if (!mark || side.scrollLeft !== this.moved) return;
    const [box, own] = [side.getBoundingClientRect(), mark.getBoundingClientRect()];
    if (own.right > box.right) side.scrollLeft += own.right - box.right + box.width / 5;
    this.moved = side.scrollLeft;
  }

  // Takes a unit that has come; `chunks` are the chunks that it may be in.
  take(found, raw, at, chunks) {
    const rank = ['heartbeat', 'frame', 'open', 'live', 'gap', 'end', 'message'];
    for (const chunk of chunks) {
      if (chunk.from >= at + found.length || chunk.to <= at) continue;
      chunk.kind = chunk.kinds ? rank[Math.max(rank.indexOf(chunk.kind), rank.indexOf(found.kind))] : found.kind;
      chunk.kinds = true;
    }
    if (found.kind === 'heartbeat') this.heartbeats += 1;
    if (this.counts && found.kind === 'gap') this.rebase(found);
    for (const message of found.messages) {
      const again = this.skip > 0;
      const late = !again && this.missing > 0;
      if (again) {
        this.skip -= 1;
      } else {
        this.messages += 1;
        this.lines += 1;
      }
      if (late) this.missing -= 1;
      for (const chunk of chunks) {
        for (const [from, to] of message.marks) chunk.mark(at + from, at + to, again);
        if (chunk === chunks.at(-1)) {
          chunk.again += again;
          chunk.late += late;
        }
      }
      if (message.cursor) {
        known.add(message.cursor, message.data);
        this.late = { seq: parse(message.cursor).seq, at: performance.now() };
      }
      if (!again) this.cost(raw, found.messages, message);
    }
    if (!this.counts && found.cursor) this.cursor = found.cursor;
  }

  // Begins to count at another cursor, since some of the counted messages are gone from the log.
  rebase({ cursor, missed }) {
    this.skip = parse(cursor).epoch === parse(this.base).epoch ? Math.max(0, this.skip - (missed || 0)) : 0;
    this.base = cursor;
    this.lines = this.skip;
  }

  // Computes how many bytes a message took, and how many of them were the message itself.
  cost(raw, together, message) {
    const payload = message.marks.reduce((sum, [from, to]) => sum + bytesIn(raw.slice(from, to)), 0);
    const all = Math.round(bytesIn(raw) / together.length);
    const headers = this.poll ? Math.round((this.asking + this.heading) / together.length) : 0;
    this.paid = { payload, framing: Math.max(0, all - payload), headers };
  }

  // Returns the number of requests in words.
  asked() {
    return this.requests ? t('{n} for {messages}', { n: this.requests, messages: count.messages(this.messages) }) : '–';
  }

  // Shows the figures.
  update() {
    const { cursor, taken, price } = this.at;
    cursor.textContent = this.counts
      ? t('{cursor}, then {lines}', { cursor: this.base, lines: count.lines(this.lines) })
      : this.cursor;
    const third = this.poll ? count.requests(this.requests) : count.heartbeats(this.heartbeats);
    taken.textContent = [`${(this.bytes + this.heads).toLocaleString('en')} B`, count.messages(this.messages), third].join(t(', '));
    if (this.paid) {
      const { headers } = this.paid;
      price.textContent = headers ? t('message {payload} B, framing {framing}, headers ≈{headers}', this.paid) : t('message {payload} B, framing {framing}', this.paid);
    }
    this.page.changed();
  }

  // Appends a row, and removes the oldest ones past the limits.
  add(row) {
    const { chunks } = this.at;
    chunks.append(row);
    // Heartbeats go first, so that they never push messages out.
    const idle = chunks.querySelectorAll('[data-kind="heartbeat"]');
    for (let i = 0; i < idle.length - IDLE_ROWS; i += 1) idle[i].remove();
    if (this.poll) this.forgetIdlePolls();
    while (chunks.childElementCount > ROWS) chunks.firstElementChild.remove();
  }

  // Removes the requests whose answers brought nothing, except for the newest.
  forgetIdlePolls() {
    const rows = [...this.at.chunks.querySelectorAll('.request')];
    const empty = rows.slice(0, -2).filter(row => row.nextElementSibling.classList.contains('request') && row.textContent.includes('→'));
    for (const row of empty) row.remove();
  }

  // Shows which messages a panel that is cut is missing.
  showMissed() {
    const missed = this.isOn || this.state === 'off' ? [] : known.after(this);
    const row = this.at.missed;
    if (missed.length === 0) return row.remove();
    const list = missed.slice(-3).map(data => `“${data}”`).join(t(', '));
    const text = missed.length > 3 ? t('Missing here: {n}, the latest {list}', { n: missed.length, list }) : t('Missing here: {list}', { list });
    if (row.textContent !== text) row.textContent = text;
    if (row.parentNode === null || row.nextSibling) this.at.chunks.append(row);
    return row;
  }
}

/** Returns the size of a request, estimated from what Chromium sends: a script cannot read its own request. */
function requestBytes(url) {
  return `GET ${url} HTTP/1.1\r\nHost: ${location.host}\r\nUser-Agent: ${navigator.userAgent}\r\nReferer: ${location.href}\r\n`.length + 320;
}

/** Returns the size of a response's head. */
function headBytes(response) {
  let bytes = `HTTP/1.1 ${response.status} OK\r\n\r\n`.length;
  for (const [name, value] of response.headers) bytes += name.length + value.length + 4;
  return bytes;
}
