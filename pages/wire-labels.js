// What each byte of an answer is: the framing of HTTP/1.1, and in it that of a transport. Pure: bytes in,
// labelled parts out. wire-terms.js says what each label means.
//
// Bytes are a string with a character for each byte, so that nothing is lost where a write ends within a
// character. A part is {label, name, bytes}: `name` is that of a header or a field. A label may become clear
// only when more has come, so a part is final when the next one begins.
//
// A labeller takes one byte and returns its part: the last one again if the byte continues that.

/** Returns a part without a byte. */
const part = (label, name = '') => ({ label, name, bytes: '' });

/** Returns a labeller of lines, each of which is a part of its own. */
function lines(label) {
  let now = null;
  return byte => {
    const line = now ?? part(label);
    now = byte === '\n' ? null : line;
    return line;
  };
}

/** Returns a labeller of JSON. The values of some fields have labels; all else is `json`. */
function json(isOver = () => {}) {
  const LABELS = { data: 'payload', cursor: 'cursor', type: 'kind' };
  let [depth, key, now] = [0, '', part('json')];
  // string: the text of the string that is read, so far; value: its part, if it has one of its own.
  let [string, value, isEscaped, isKey] = [null, null, false, false];
  return byte => {
    if (string !== null) {
      if (byte === '"' && !isEscaped) {
        if (isKey) key = string;
        if (value) now = part('json');
        [string, value] = [null, null];
        return now;
      }
      isEscaped = byte === '\\' && !isEscaped;
      string += isKey ? byte : '';
      return value ?? now;
    }
    if (byte === '"') {
      [string, isEscaped] = ['', false];
      value = !isKey && LABELS[key] ? part(LABELS[key], key) : null;
    } else if (byte === ':') isKey = false;
    else if (byte === '{' || byte === ',') [isKey, key] = [true, ''];
    else if (byte === '[') isKey = false;
    if ('{['.includes(byte)) depth += 1;
    if ('}]'.includes(byte)) {
      depth -= 1;
      if (depth === 0) isOver();
    }
    if (byte !== '\n' || depth) return now;
    const end = part('line-end');
    now = part('json');
    return end;
  };
}

/** Returns a labeller of an event stream (WHATWG HTML, section 9.2.5). */
function sse() {
  const FIELDS = { id: 'cursor', data: 'payload', event: 'event-name', retry: 'retry' };
  const OWN = ['gap', 'live', 'closed', 'end', 'heartbeat'];
  let [now, field, at, event] = [null, '', 'begin', ''];
  return byte => {
    if (byte === '\n') {
      const isBlank = at === 'begin';
      if (isBlank) event = '';
      if (field === 'event' && at === 'value') event = now.bytes;
      const end = field === ':' ? now : part(isBlank ? 'dispatch' : 'line-end');
      [now, field, at] = [null, '', 'begin'];
      return end;
    }
    if (at === 'begin') {
      at = byte === ':' ? 'comment' : 'name';
      field = byte;
      now = part(byte === ':' ? 'heartbeat' : 'field');
    } else if (at === 'name') {
      if (byte === ':') {
        now.name = field;
        at = 'space';
      } else field += byte;
    } else if (at === 'space') {
      at = 'value';
      // One space after the colon belongs to the field.
      if (byte === ' ') return now;
      now = null;
    }
    if (at === 'value' && (now === null || now.label === 'field')) {
      now = part(field === 'data' && OWN.includes(event) ? 'server-object' : FIELDS[field] ?? 'field-value', field);
    }
    return now;
  };
}

/** Returns a labeller of plain text: a line is a message, a mark of the server, or dots. */
function text() {
  let [now, at] = [null, 'begin'];
  return byte => {
    if (byte === '\n') {
      const isMark = at === 'mark' && /^# (gap reason=|end \S+ reason=|live |closed )/.test(now.bytes);
      if (at === 'mark' && !isMark) now.label = 'payload';
      const end = isMark ? now : part('line-end');
      [now, at] = [null, 'begin'];
      return end;
    }
    if (at === 'begin') {
      const BEGINS = { '.': ['dots', 'heartbeat'], '#': ['mark', 'mark'], '\\': ['guard', 'guard'] };
      const [next, label] = BEGINS[byte] ?? ['message', 'payload'];
      [at, now] = [next, part(label)];
    } else if (at === 'guard') {
      // Any other backslash belongs to the message.
      if ('.#'.includes(byte)) now = part('payload');
      else now.label = 'payload';
      at = 'message';
    } else if (at === 'dots' && byte !== '.') {
      now.label = 'payload';
      at = 'message';
    }
    return now;
  };
}

/** Returns a labeller of the HTML forever frame: an element per message, and dots. */
function html() {
  let [now, at, tag] = [null, 'begin', ''];
  const to = (next, label) => { [at, now] = [next, part(label)]; };
  return byte => {
    if (at === 'begin') {
      tag = '';
      if (byte === '.') to('dots', 'heartbeat');
      else if (byte === '\n') return part('line-end');
      else to('line', 'page');
    } else if (at === 'dots' && !'.<i/>'.includes(byte)) {
      to('begin', 'line-end');
      if (byte === '\n') return now;
      to('line', 'page');
    } else if (at === 'text' && byte === '<') {
      tag = '';
      to('tag', 'color');
    } else if (at === 'text' && now.label !== 'payload') to('text', 'payload');
    tag += byte;
    const last = now;
    if (at === 'line' && tag === '<i></i>.') {
      now.label = 'heartbeat';
      at = 'dots';
    } else if (at === 'line' && byte === '>' && tag.startsWith('<p class="message"')) {
      now.label = 'element';
      at = 'text';
    } else if (at === 'tag' && byte === '>') {
      if (tag === '</p>') {
        now.label = 'element-end';
        at = 'line';
      } else {
        at = 'text';
        now = part('color-over');
      }
    } else if (at === 'line' && byte === '\n') {
      if (/^<p class="(gap|live|closed|end)"/.test(tag)) now.label = 'mark';
      at = 'begin';
    }
    return last;
  };
}

/** Returns a labeller of the hidden iframe: a script per message. */
function script() {
  let [now, object, line] = [null, null, ''];
  return byte => {
    if (object) {
      const found = object(byte);
      if (line === 'over') [object, now, line] = [null, part('script-end'), ''];
      return found;
    }
    now ??= part('page');
    const last = now;
    line += byte;
    if (/^<script nonce="\w*">f\($/.test(line)) {
      now.label = 'script';
      object = json(() => { line = 'over'; });
    } else if (byte === '\n') [now, line] = [null, ''];
    return last;
  };
}

/** The labellers of the transports, by their names. */
export const BODIES = { text, html, script, sse, ndjson: () => json(), json: () => json() };

/** Returns a labeller of an answer of HTTP/1.1 (RFC 9112) whose body is that of a transport. */
function answer(as) {
  let body = BODIES[as]();
  let [at, now, line, left, framing] = ['status', null, '', 0, 'close'];
  const next = (state, label) => { [at, now, line] = [state, label ? part(label) : null, '']; };

  // What follows the head says its fields.
  const field = text => {
    const colon = text.indexOf(':');
    const [name, value] = [text.slice(0, colon).toLowerCase(), text.slice(colon + 1).trim()];
    if (name === 'transfer-encoding' && value === 'chunked') framing = 'chunked';
    if (name === 'content-length') [framing, left] = ['length', Number(value)];
    return name;
  };
  const inData = byte => {
    left -= 1;
    const found = body(byte);
    if (left === 0) next(framing === 'chunked' ? 'data-end' : 'over');
    return found;
  };

  return byte => {
    if (at === 'data') return inData(byte);
    if (at === 'close') return body(byte);
    const LABELS = { status: 'status', field: 'header', size: 'chunk-size', 'data-end': 'chunk-end', trailer: 'body-end', over: 'extra' };
    now ??= part(LABELS[at]);
    const last = now;
    line += byte;
    if (byte !== '\n') return last;
    const text = line.trimEnd();
    if (at === 'status') {
      // An error has a text, and no body of the transport.
      if (!/ 200 /.test(text)) body = lines('error');
      next('field');
    } else if (at === 'field' && text) {
      last.name = field(text);
      next('field');
    } else if (at === 'field') {
      last.label = 'head-end';
      next({ chunked: 'size', length: left ? 'data' : 'over', close: 'close' }[framing]);
    } else if (at === 'size') {
      left = parseInt(text, 16);
      if (left === 0) last.label = 'last-chunk';
      next(left ? 'data' : 'trailer');
    } else if (at === 'data-end') next('size');
    else next('over');
    return last;
  };
}

/** The bytes of one answer, taken apart as they come. */
export class Labels {
  #byte;
  #last = null;

  constructor(as) { this.#byte = answer(as); }

  /** Takes more bytes, and returns their parts. The first may continue the last one of before: it is then
      a part of its own, which says so. */
  take(bytes) {
    const found = [];
    for (const byte of bytes) {
      const whole = this.#byte(byte);
      const continues = whole === this.#last;
      if (!continues || !found.length) found.push({ whole, continues, bytes: '' });
      found.at(-1).bytes += byte;
      whole.bytes += byte;
      this.#last = whole;
    }
    return found.map(({ whole, continues, bytes: own }) => ({ label: whole.label, name: whole.name, bytes: own, continues }));
  }
}

/** Returns bytes as the string that labels are made from. */
export const fromBase64 = text => atob(text);

/** Returns the text that a string of bytes is in UTF-8. */
export function decoded(bytes) {
  return new TextDecoder().decode(Uint8Array.from(bytes, byte => byte.charCodeAt(0)));
}
