// The page /wire: one channel, followed by each transport at the same time, byte by byte.
//
// The readers of the bytes come first (pure: text in, units out), then what the page knows of the
// log, then the panels, then the page around them.
'use strict';

const CHANNEL = '/c/wire';
const QUIET = 'heartbeat=5s';
// After so many seconds a heartbeat is missing.
const SILENT = 8;
// Over HTTP/1.1 a browser holds six connections to a server; one of them stays free for sending.
const CONNECTIONS = 6;
const AT_ONCE = CONNECTIONS - 1;
// Bounds of what the page keeps: it may stay open all day.
const ROWS = 40;
const IDLE_ROWS = 4;
const KNOWN = 500;
// Pieces of a chunk that are longer than this are shown with a cut in the middle.
const PIECE = 260;

const utf8 = new TextEncoder();
/** Returns the length of a text in bytes. */
const bytesIn = text => utf8.encode(text).length;
/** Returns in words what was wrong: what a browser says of a server that it cannot reach differs. */
const inWords = error => (error instanceof TypeError ? 'the server does not answer' : error.message);
/** Returns a number with its noun, in the plural unless it is 1. */
const count = (n, word) => `${n.toLocaleString('en')} ${word}${n === 1 ? '' : 's'}`;

// ---- Reading: what the bytes mean --------------------------------------------------------------
//
// A reader takes the text that is still unread and returns its first unit, or null as long as that
// is incomplete: chunks end anywhere, units do not.
// A unit is {length, kind, cursor?, missed?, messages: [{cursor?, data, marks: [[from, to]…]}]}
// where kind is one of frame, open, message, heartbeat, live, gap, end.

/** Returns a unit. */
const unit = (kind, length, more = {}) => ({ kind, length, messages: [], ...more });

/** Reads a dot, or the end of a line of dots. Dots come one by one on a line of their own, which is ended
    before the next message. */
function dots(state, rest) {
  if (rest[0] === '.' && (state.dots || /^\.+\n?$/.test(rest))) {
    state.dots = true;
    return unit('heartbeat', 1);
  }
  if (state.dots && rest[0] === '\n') {
    state.dots = false;
    return unit('frame', 1);
  }
  return null;
}

/** Returns a reader of plain text. */
function readText() {
  const state = { dots: false };
  return rest => {
    const dot = dots(state, rest);
    if (dot) return dot;
    const end = rest.indexOf('\n');
    if (end < 0) return null;
    const line = rest.slice(0, end);
    const gap = /^# gap reason=\w+ missed=(\w+) cursor=(\w+-\d+)$/.exec(line);
    if (gap) return unit('gap', end + 1, { cursor: gap[2], missed: Number(gap[1]) });
    const over = /^# end (\w+-\d+) reason=\w+$/.exec(line);
    if (over) return unit('end', end + 1, { cursor: over[1] });
    const guard = /^\\[.#\\]/.test(line) ? 1 : 0;
    return unit('message', end + 1, { messages: [{ data: line.slice(guard), marks: [[guard, end]] }] });
  };
}

/** Returns a reader of the HTML forever frame. */
function readHtml() {
  const state = { dots: false };
  const names = { amp: '&', lt: '<', gt: '>', quot: '"' };
  const character = (whole, code, name) => (code ? String.fromCharCode(code) : names[name] ?? whole);
  return rest => {
    const element = /^<p class="(message|gap|end)"[^>]*?data-cursor="([^"]*)"[^>]*>([^<]*(?:<\/?(?:span|a)\b[^>]*>[^<]*)*)<\/p>\n/.exec(rest);
    if (element) {
      const [all, kind, cursor, inner] = element;
      const to = all.length - '</p>\n'.length;
      // Colours are elements in the text.
      const data = inner.replace(/<[^>]*>/g, '').replace(/&(?:#(\d+)|(\w+));/g, character);
      const messages = kind === 'message' ? [{ cursor, data, marks: [[to - inner.length, to]] }] : [];
      return unit(kind, all.length, { cursor, messages });
    }
    if (rest.startsWith('<p class="message"') || '<i></i>.'.startsWith(rest)) return null;
    // The element with which some dots come tells the page that its connection lives.
    if (rest.startsWith('<i></i>.')) {
      state.dots = true;
      return unit('heartbeat', '<i></i>.'.length);
    }
    const dot = dots(state, rest);
    if (dot) return dot;
    const end = rest.indexOf('\n');
    return end < 0 ? null : unit('frame', end + 1);
  };
}

/** Returns where the data is in a message's JSON. A quote in a string is escaped, so no text inside the
    data can look like this field. */
function marksInJson(text, offset = 0) {
  const found = text.matchAll(/"data":"((?:[^"\\]|\\.)*)"/g);
  return [...found].map(match => {
    const from = offset + match.index + '"data":"'.length;
    return [from, from + match[1].length];
  });
}

/** Returns the unit of a JSON object that begins at `offset` in a text of `length`. */
function jsonLine(json, offset, length) {
  const object = JSON.parse(json);
  const { cursor, missed } = object;
  const messages = object.type === 'message'
    ? [{ cursor, data: object.data, marks: marksInJson(json, offset) }] : [];
  return unit(object.type, length, { cursor, missed, messages });
}

/** Returns a reader of JSON lines. */
function readNdjson() {
  return rest => {
    const end = rest.indexOf('\n');
    return end < 0 ? null : jsonLine(rest.slice(0, end), 0, end + 1);
  };
}

/** Returns a reader of the hidden iframe's scripts. */
function readScript() {
  return rest => {
    const end = rest.indexOf('\n');
    if (end < 0) return null;
    const call = /^(<script nonce="[^"]*">f\()(.*)\)<\/script>$/.exec(rest.slice(0, end));
    return call ? jsonLine(call[2], call[1].length, end + 1) : unit('frame', end + 1);
  };
}

/** Returns a reader of Server-Sent Events. */
function readSse() {
  return rest => {
    // Lines that belong to no event: a comment, and the time after which to reconnect.
    const alone = /^(:|retry:.*)\n/.exec(rest);
    if (alone) return unit(alone[1] === ':' ? 'heartbeat' : 'frame', alone[0].length);
    const end = rest.indexOf('\n\n');
    if (end < 0) return null;
    const fields = {};
    const data = [];
    const marks = [];
    let at = 0;
    for (const line of rest.slice(0, end).split('\n')) {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon);
      const from = at + colon + (line[colon + 1] === ' ' ? 2 : 1);
      const value = rest.slice(from, at + line.length);
      fields[name] = value;
      if (name === 'data') {
        data.push(value);
        marks.push([from, at + line.length]);
      }
      at += line.length + 1;
    }
    const length = end + 2;
    const cursor = fields.id;
    // Senders can give their events these names, too, but they cannot know the cursor.
    const own = /^(gap|live|end)$/.test(fields.event) && data.length === 1 && data[0].includes(`"cursor":"${cursor}"`);
    if (own) return unit(fields.event, length, { cursor });
    return unit('message', length, { cursor, messages: [{ cursor, data: data.join('\n'), marks }] });
  };
}

/** Returns a reader of a long poll: one object, which is incomplete until the answer ends. */
function readJson() {
  return (rest, ended) => {
    if (!ended) return null;
    const { cursor, messages, gap } = JSON.parse(rest);
    const marks = marksInJson(rest);
    return unit(messages.length ? 'message' : 'heartbeat', rest.length, {
      cursor,
      gap,
      messages: messages.map((message, i) => ({ ...message, marks: [marks[i]] })),
    });
  };
}

// ---- What the page knows of the log ------------------------------------------------------------

/** Splits a cursor into its epoch and its number. */
function parse(cursor) {
  const at = cursor.lastIndexOf('-');
  return { epoch: cursor.slice(0, at), seq: Number(cursor.slice(at + 1)) };
}

// The messages of the channel that any panel has seen, so that a panel that is cut can show what it
// is missing.
const known = {
  start: null,
  epoch: '',
  messages: new Map(),
  forgotten: 0,

  // Sets the position at which all panels begin, whenever they are started.
  begin(cursor) {
    this.start = cursor;
    this.epoch = parse(cursor).epoch;
    this.messages.clear();
    this.forgotten = 0;
  },
  // Remembers a message.
  add(cursor, data) {
    const { epoch, seq } = parse(cursor);
    if (epoch !== this.epoch) this.begin(`${epoch}-0`);
    if (this.messages.has(seq) || (this.forgotten && seq < this.messages.keys().next().value)) return;
    this.messages.set(seq, data.slice(0, 80));
    if (this.messages.size > KNOWN) {
      this.messages.delete(this.messages.keys().next().value);
      this.forgotten += 1;
    }
  },
  // Returns the texts of the messages that a panel has not seen.
  after(panel) {
    const sorted = [...this.messages].sort(([a], [b]) => a - b);
    if (panel.counts) return sorted.slice(Math.max(0, panel.lines - this.forgotten)).map(([, data]) => data);
    const from = panel.cursor ? parse(panel.cursor) : null;
    if (!from || from.epoch !== this.epoch) return [];
    return sorted.filter(([seq]) => seq > from.seq).map(([, data]) => data);
  },
};

// ---- Showing bytes -----------------------------------------------------------------------------

/** Returns the time of day, to the millisecond. */
function clock() {
  const now = new Date();
  const two = n => String(n).padStart(2, '0');
  return `${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}.${String(now.getMilliseconds()).padStart(3, '0')}`;
}

/** Returns an element with a class and children. */
function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** Shows a text, with signs for line ends and other control characters. */
function show(into, text) {
  for (const piece of text.split(/(\r|\n|[\0-\x08\x0b-\x1f\x7f])/)) {
    if (piece === '\n') into.append(element('i', '', '↵'), '\n');
    else if (piece === '\r') into.append(element('i', '', '␍'));
    else if (/^[\0-\x1f\x7f]$/.test(piece)) into.append(element('i', '', piece === '\x7f' ? '␡' : String.fromCharCode(0x2400 + piece.charCodeAt(0))));
    else into.append(piece);
  }
}

/** Shows a text, with a cut in the middle if it is long. */
function showShort(into, text) {
  if (text.length <= PIECE) return show(into, text);
  const [head, tail] = [text.slice(0, PIECE * 0.6), text.slice(-PIECE * 0.2)];
  show(into, head);
  into.append(element('span', 'cut-out', ` … ${count(text.length - head.length - tail.length, 'more character')} … `));
  return show(into, tail);
}

/** One chunk as it came. Which of its bytes belong to a message is known when the unit is complete,
    which may be some chunks later. */
class Chunk {
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
    if (this.again) notes.push(` · ${this.again} seen before, skipped`);
    if (this.late) notes.push(` · ${this.late} missed during the cut`);
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

// ---- Panels ------------------------------------------------------------------------------------

const TRANSPORTS = {
  // counts: the transport carries no cursor, so the panel counts messages. returns: its usual clients
  // reconnect after a failure by themselves. short: its name in the row of connections.
  text: { reader: readText, short: 'text', counts: true },
  html: { reader: readHtml, short: 'html' },
  script: { reader: readScript, short: 'iframe', returns: true },
  sse: { reader: readSse, short: 'SSE', returns: true },
  ndjson: { reader: readNdjson, short: 'NDJSON', returns: true },
  json: { reader: readJson, short: 'long poll', returns: true, poll: true },
};

const STATES = {
  off: 'not started',
  connecting: 'asking …',
  queued: 'waiting for a free connection',
  open: 'open',
  silent: 'silent',
  waiting: 'open, answer held back',
  cut: 'cut',
  broken: 'broken, retrying soon',
  ended: 'ended, not reconnecting',
};

/** A panel: one transport, its bytes and its figures. */
class Panel {
  constructor(section) {
    this.as = section.dataset.as;
    Object.assign(this, TRANSPORTS[this.as]);
    this.section = section;
    this.name = section.querySelector('h2').firstChild.textContent.trim();
    section.append(document.querySelector('#panel').content.cloneNode(true));
    const find = css => section.querySelector(css);
    this.at = { state: find('.state'), cursor: find('.cursor'), taken: find('.taken'), price: find('.price'), button: find('.cut'), missed: element('li', 'missed'), chunks: find('.chunks') };
    find('.wire-bytes').setAttribute('aria-label', `Bytes of ${this.name}`);
    this.line = document.querySelector(`.wire-table tr[data-as="${this.as}"]`);
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
    // When bytes came last.
    this.heard = 0;
    this.control = null;
    this.at.button.addEventListener('click', () => this.pressed());
    this.is('off');
  }

  // Whether the panel holds a connection, or is trying to get one.
  get isOn() {
    return this.control !== null;
  }

  // Shows a state.
  is(state) {
    this.state = state;
    this.section.dataset.state = state;
    this.at.state.textContent = STATES[state];
    const verb = this.isOn ? 'Cut' : state === 'off' ? 'Start' : 'Resume';
    this.at.button.textContent = verb;
    this.at.button.setAttribute('aria-label', `${verb} ${this.name}`);
    page.changed();
  }

  // Cuts, starts or resumes the panel.
  pressed() {
    if (this.isOn) {
      this.cut();
      page.say(`${this.name} is cut. Send a message, then resume.`);
    } else {
      const others = panels.filter(panel => panel.isOn);
      let room = '';
      if (others.length >= AT_ONCE) {
        others[0].cut();
        room = ` ${others[0].name} was cut to make room: at most ${AT_ONCE} are open, so that one connection stays free for sending.`;
      }
      page.say(`${this.name} ${this.requests ? 'resumes' : 'starts'}.${room}`);
      this.start();
    }
  }

  // Ends the panel's connection.
  cut(why = 'cut') {
    this.control.abort();
    this.control = null;
    this.away = true;
    this.is('cut');
    this.add(element('li', 'request', `${clock()} ✂ ${why}`));
  }

  // Says for how long nothing has come, although a heartbeat is due every five seconds.
  look() {
    const silent = Math.floor((Date.now() - this.heard) / 1000);
    if (!['open', 'silent'].includes(this.state) || silent < SILENT) return;
    if (this.state === 'open') this.is('silent');
    this.at.state.textContent = `silent for ${silent} s`;
  }

  // Opens the panel's connection.
  start() {
    this.control = new AbortController();
    this.run(this.control.signal);
  }

  // Asks, and asks again if the transport does so, until the panel is cut.
  async run(signal) {
    for (let failures = 0; ;) {
      try {
        await this.answer(signal);
        failures = 0;
        if (signal.aborted) return;
        if (this.poll) continue;
        this.add(element('li', 'request', `${clock()} ■ the server has ended the response`));
      } catch (error) {
        if (signal.aborted) return;
        this.add(element('li', 'request', `${clock()} ✂ broken: ${inWords(error)}`));
        failures += 1;
      }
      this.away = true;
      if (!this.returns) {
        this.control = null;
        return this.is('ended');
      }
      this.is('broken');
      await new Promise(done => { setTimeout(done, Math.min(1000 * 2 ** failures, 15000)); });
      if (signal.aborted) return;
    }
  }

  // Sends one request, and reads its response to the end.
  async answer(signal) {
    this.is('connecting');
    await known.ready;
    if (signal.aborted) return;
    // The head of a long poll comes with its answer, so nobody can tell whether it waits for that or for a connection.
    const queued = this.poll ? undefined : setTimeout(() => this.is('queued'), 2000);
    let response;
    let row;
    try {
      const resumes = this.cursor !== null;
      const since = this.counts ? this.base ?? known.start : this.cursor ?? known.start;
      this.cursor = since;
      if (this.counts) {
        this.base = since;
        this.skip = this.lines;
      }
      this.missing = this.away ? known.after(this).length : 0;
      this.away = false;
      const byHeader = this.as === 'sse' && resumes;
      const query = [`as=${this.as}`, ...byHeader ? [] : [`since=${since}`], this.poll ? 'wait=20s' : QUIET];
      const url = `${CHANNEL}?${query.join('&')}`;
      row = element('li', 'request', `${clock()} → GET ${CHANNEL}?${query[0]}`);
      if (byHeader) row.append(`&${query[1]} with `, element('b', '', `Last-Event-ID: ${since}`));
      else row.append('&', element('b', '', query[1]), `&${query[2]}`);
      // An EventSource sends this header by itself.
      const headers = byHeader ? { 'Last-Event-ID': since } : {};
      this.requests += 1;
      this.add(row);
      this.update();
      if (this.poll) this.is('waiting');
      response = await fetch(url, { signal, cache: 'no-store', headers });
      this.asking = requestBytes(url) + (byHeader ? since.length + 17 : 0);
    } finally {
      clearTimeout(queued);
    }
    this.heading = headBytes(response);
    this.heads += this.heading;
    row.append(` ⇒ ${response.status}, ${this.heading} B of headers`);
    // Of several servers that share the log, the one that answers.
    if (response.headers.get('Log-Server')) row.append(`, from ${response.headers.get('Log-Server')}`);
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    this.heard = Date.now();
    if (!this.poll) this.is('open');
    await this.read(response.body.getReader());
  }

  // Shows the chunks of a response as they come.
  async read(reader) {
    const decoder = new TextDecoder();
    const next = this.reader();
    const open = [];
    let [rest, at, seen] = ['', 0, 0];
    for (;;) {
      const { done, value } = await reader.read();
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
      for (let found; rest && (found = next(rest, done));) {
        this.take(found, rest.slice(0, found.length), at, open);
        at += found.length;
        rest = rest.slice(found.length);
      }
      for (const chunk of open) chunk.render();
      while (open.length && open[0].to <= at) open.shift();
      this.update();
      if (done) return;
    }
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
      if (message.cursor) known.add(message.cursor, message.data);
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
    return this.requests ? `${this.requests} for ${count(this.messages, 'message')}` : '–';
  }

  // Shows the figures.
  update() {
    const { cursor, taken, price } = this.at;
    cursor.textContent = this.counts
      ? `${this.base}, then ${count(this.lines, 'line')}`
      : this.cursor;
    const third = this.poll ? count(this.requests, 'request') : count(this.heartbeats, 'heartbeat');
    taken.textContent = `${(this.bytes + this.heads).toLocaleString('en')} B, ${count(this.messages, 'message')}, ${third}`;
    if (this.paid) {
      const { payload, framing, headers } = this.paid;
      price.textContent = `message ${payload} B, framing ${framing}${headers ? `, headers ≈${headers}` : ''}`;
    }
    page.changed();
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
    const list = missed.slice(-3).map(data => `“${data}”`).join(', ');
    const text = `Missing here: ${missed.length > 3 ? `${missed.length}, the latest ` : ''}${list}`;
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

// ---- The page around ---------------------------------------------------------------------------

const page = {
  sending: 0,
  asked: false,

  // Shows a notice.
  say(text) {
    document.querySelector('#said').textContent = text;
  },

  // Updates the page, once for all changes that happen at the same time.
  changed() {
    if (this.asked) return;
    this.asked = true;
    queueMicrotask(() => {
      this.asked = false;
      for (const panel of panels) panel.showMissed();
      this.slots();
      this.compare();
    });
  },

  // Shows the six connections, and which panel has each of them.
  slots() {
    const taken = panels.filter(panel => panel.isOn).map(panel => panel.short);
    const slots = [...document.querySelectorAll('#slots li')];
    slots.forEach((slot, i) => {
      const last = i === CONNECTIONS - 1;
      const text = taken[i] ?? (last ? (this.sending ? 'POST' : 'for sending') : 'free');
      if (slot.textContent !== text) slot.textContent = text;
      slot.className = taken[i] || (last && this.sending) ? 'used' : '';
    });
  },

  // Shows the table, with bars of the same scale, so that the framing can be compared.
  compare() {
    const total = paid => paid.payload + paid.framing + paid.headers;
    const most = Math.max(1, ...panels.filter(panel => panel.paid).map(panel => total(panel.paid)));
    for (const panel of panels) {
      const { paid, line } = panel;
      line.querySelector('.requests').textContent = panel.asked();
      if (!paid) continue;
      const bar = element('span', 'bar');
      for (const part of ['payload', 'framing', 'headers']) {
        const piece = element('span', part);
        piece.style.width = `${(100 * paid[part]) / most}%`;
        bar.append(piece);
      }
      const sum = `${paid.headers ? '≈' : ''}${total(paid)} = ${paid.payload} + ${paid.framing}${paid.headers ? ` + ${paid.headers}` : ''}`;
      line.querySelector('.cost').replaceChildren(sum, bar);
    }
  },

  // Sends the text of the input.
  async send(input) {
    const data = input.value;
    // The next text gets another number, so that the messages can be told apart.
    input.value = data.replace(/\d{1,9}$/, number => String(Number(number) + 1));
    this.sending += 1;
    this.changed();
    const stuck = setTimeout(() => this.say(`No answer yet. Other tabs may hold connections to this server; a browser opens ${CONNECTIONS} in all.`), 2000);
    try {
      const response = await fetch(CHANNEL, { method: 'POST', body: data, headers: { Accept: 'application/json' } });
      const answer = await response.json();
      if (!response.ok) throw new Error(answer.error);
      known.add(answer.cursor, data);
      this.say(`“${data.slice(0, 60)}” was appended; its cursor is ${answer.cursor}.`);
    } catch (error) {
      this.say(`Not sent: ${inWords(error)}.`);
    } finally {
      clearTimeout(stuck);
      this.sending -= 1;
      this.changed();
    }
  },
};

const panels = [];
for (const section of document.querySelectorAll('.wire-panel')) panels.push(new Panel(section));
for (let i = 0; i < CONNECTIONS; i += 1) document.querySelector('#slots').append(element('li'));

/** Finds the end of the log, where all panels begin. */
async function locate() {
  for (;;) {
    try {
      const response = await fetch(`${CHANNEL}?as=text&since=now`, { method: 'HEAD', cache: 'no-store' });
      if (!response.ok) throw new Error(`status ${response.status}`);
      known.begin(response.headers.get('Log-Cursor'));
      return;
    } catch (error) {
      page.say(`No answer yet (${inWords(error)}). Trying again.`);
      await new Promise(done => { setTimeout(done, 2000); });
    }
  }
}
known.ready = locate();

document.querySelector('#send').addEventListener('submit', async event => {
  event.preventDefault();
  await known.ready;
  page.send(document.querySelector('#message'));
});

// The page gives its connections back when it is left or hidden, since other pages may need them, and takes
// them again when it is seen again.
let left = [];
function giveBack(why) {
  const on = panels.filter(panel => panel.isOn);
  left.push(...on);
  for (const panel of on) panel.cut(why);
}
function takeAgain() {
  for (const panel of left.splice(0)) if (!panel.isOn) panel.start();
}
addEventListener('pagehide', () => giveBack('cut: this page was left'));
addEventListener('pageshow', event => { if (event.persisted) takeAgain(); });
document.addEventListener('visibilitychange', () => { if (document.hidden) giveBack('cut: this page is hidden'); else takeAgain(); });
setInterval(() => { for (const panel of panels) panel.look(); }, 1000);

// The HTML forever frame is not started, since the receiver shows one live.
panels.find(({ as }) => as === 'html').add(element('li', 'request', 'Not started: with all six open, no connection would be left for sending. When you start it, the first of the others is cut to make room.'));
for (const panel of panels.filter(({ as }) => as !== 'html')) panel.start();
