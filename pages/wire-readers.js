// What the bytes of a stream say to a script that reads them. Pure: text in, units out.
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

/** The readers of the transports, by their names. */
export const READERS = { text: readText, html: readHtml, script: readScript, sse: readSse, ndjson: readNdjson, json: readJson };
