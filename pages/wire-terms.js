// What the labels of wire-labels.js mean, each with the section of the standard that says so.

import { at } from './page.js';

const RFC = number => `https://www.rfc-editor.org/rfc/rfc${number}`;
const HTTP = (section, anchor = section) => [`RFC 9112, section ${section}`, `${RFC(9112)}#section-${anchor}`];
const FIELD = section => [`RFC 9110, section ${section}`, `${RFC(9110)}#section-${section}`];
const EVENTS = 'https://html.spec.whatwg.org/multipage/server-sent-events.html';
const PARSING = ['HTML standard, section 9.2.5', `${EVENTS}#parsing-an-event-stream`];
const INTERPRETING = ['HTML standard, section 9.2.6', `${EVENTS}#event-stream-interpretation`];
const JSON_TEXT = section => [`RFC 8259, section ${section}`, `${RFC(8259)}#section-${section}`];
const NDJSON = ['NDJSON specification', 'https://github.com/ndjson/ndjson-spec'];
const HERE = ['forever-frame’s own', at('/openapi.json')];

// label: [group, name, explanation, standard, address]. Groups have colours of their own.
const TERMS = {
  status: ['http', 'status line', 'The version of HTTP, the status, and a phrase for people. 200: what follows is the answer.', ...HTTP('4')],
  'head-end': ['http', 'end of the head', 'An empty line ends the headers. A browser calls onopen now, although not a byte of the body may be there.', ...HTTP('2.1')],
  'chunk-size': ['chunk', 'chunk size', 'So many bytes of the body follow, as a hexadecimal number. The server need not know how long the answer will be: this is what makes an answer without an end possible.', ...HTTP('7.1')],
  'chunk-end': ['chunk', 'end of the chunk', 'CR LF after the bytes of the chunk. Proxies may cut the body into other chunks, so no client may take a chunk for a message.', ...HTTP('7.1')],
  'last-chunk': ['chunk', 'last chunk', 'A chunk of no bytes: the answer is over, in order. A connection that ends without it was cut, and a client can tell.', ...HTTP('7.1')],
  'body-end': ['chunk', 'end of the body', 'Headers could follow the last chunk; an empty line says that there are none.', ...HTTP('7.1.2')],
  payload: ['payload', 'message', 'What the sender wrote, as this transport writes it. All else is around it.', ...HERE],
  cursor: ['position', 'cursor', 'EPOCH-SEQ: everything up to here has been seen. Whoever comes back says it, and goes on from here.', ...HERE],
  heartbeat: ['beat', 'heartbeat', 'Nothing is new, but the connection lives. It keeps proxies from closing it, and lets both sides notice a line that is dead.', 'HTML standard, section 9.2.7', `${EVENTS}#authoring-notes`],
  'line-end': ['frame', 'end of a line', 'LF. Text, event streams and JSON lines are read line by line, so messages have a border of their own, whatever the chunks are.', ...PARSING],
  field: ['frame', 'name of a field', 'id: the cursor, which the browser remembers · event: the name to listen for · data: a line of the message · retry: when to come back.', ...INTERPRETING],
  'field-value': ['frame', 'value of a field', 'The value of a field that the standard does not know; a browser passes it over.', ...INTERPRETING],
  'event-name': ['frame', 'name of the event', 'addEventListener hears this name. Without the field it is “message”.', ...INTERPRETING],
  retry: ['frame', 'time to come back', 'Milliseconds until the browser asks again when the connection has broken.', ...INTERPRETING],
  dispatch: ['frame', 'blank line', 'It ends the event: only now the browser fires it. An event without its blank line, at a cut, is thrown away.', ...INTERPRETING],
  'server-object': ['frame', 'what the server says', 'The data of an event of the server’s own: that you have caught up (live), a gap, the end.', ...HERE],
  json: ['frame', 'JSON', 'Names, braces and quotes around the values of an object.', ...JSON_TEXT('4')],
  kind: ['frame', 'kind of the object', 'message, heartbeat, gap, live, closed or end: where there is no standard for events, a field says what the line is.', ...NDJSON],
  page: ['frame', 'a page', 'The head of an ordinary HTML page. It is padded to 1 KiB, since some browsers paint nothing before.', 'HTML standard, section 13.1', 'https://html.spec.whatwg.org/multipage/syntax.html'],
  element: ['frame', 'element', 'A paragraph of the page that never ends. The browser paints it when it comes, without any script. data-cursor says how far the page is.', 'HTML standard, section 13.1.2', 'https://html.spec.whatwg.org/multipage/syntax.html#elements-2'],
  'element-end': ['frame', 'end of the element', 'In a message “<” is written &lt;, so none can end its element.', 'HTML standard, section 13.1.2', 'https://html.spec.whatwg.org/multipage/syntax.html#end-tags'],
  color: ['frame', 'colour', 'A colour of the message, which a terminal would have as an escape sequence.', 'ECMA-48, section 8.3.117', 'https://ecma-international.org/publications-and-standards/standards/ecma-48/'],
  mark: ['frame', 'mark of the server', 'What the server says of the stream itself: a gap, that a channel is closed, or the end, with the cursor and the reason.', ...HERE],
  guard: ['frame', 'guard', 'This message begins like a dot or a mark; the backslash says that it is none.', ...HERE],
  script: ['frame', 'script', 'A call of the outer page. The nonce is this answer’s own: the browser runs no other script, whatever a message says.', 'Content Security Policy 3, section 2.3.1', 'https://www.w3.org/TR/CSP3/#framework-directive-source-list'],
  'script-end': ['frame', 'end of the script', 'Now the browser runs the call. In a message “<” is written \\u003c, so none can end the script.', 'HTML standard, section 4.12.1.3', 'https://html.spec.whatwg.org/multipage/scripting.html#restrictions-for-contents-of-script-elements'],
  error: ['frame', 'body of an error', 'The server says in a sentence what was wrong.', ...FIELD('15.5')],
  extra: ['frame', 'past the end', 'These bytes belong to no answer.', ...HTTP('9.2')],
};

const HEADERS = {
  'content-type': ['The format of the body. An EventSource takes exactly text/event-stream, and nothing else.', ...FIELD('8.3')],
  'transfer-encoding': ['chunked: the body comes in pieces, each with its size in front, and its length is not known.', ...HTTP('6.1')],
  'content-length': ['The length of the body in bytes. A long poll is whole before it is sent, so it can say it.', ...HTTP('6.2')],
  'cache-control': ['No cache may keep the answer (no-store), and no proxy may change it, for instance by compressing, which would hold it back (no-transform).', 'RFC 9111, section 5.2.2', `${RFC(9111)}#section-5.2.2`],
  connection: ['close: no other request follows on this connection, since the stream has it for itself.', ...HTTP('9.6')],
  'x-accel-buffering': ['no: nginx, and proxies that have taken this over, pass each piece on at once.', 'nginx, proxy_buffering', 'https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering'],
  'x-content-type-options': ['nosniff: the browser does not guess the format from the first bytes. Chrome would wait for 1 KiB of a plain text otherwise.', 'Fetch standard', 'https://fetch.spec.whatwg.org/#x-content-type-options-header'],
  incremental: ['?1: intermediaries are asked to pass on each part when it comes.', 'RFC 10036, section 2', `${RFC(10036)}#section-2`],
  'content-security-policy': ['Which scripts may run in this page: those alone that carry the nonce of this answer.', 'Content Security Policy 3', 'https://www.w3.org/TR/CSP3/'],
  vary: ['The same address has other formats for other values of this request header; caches must tell them apart.', ...FIELD('12.5.5')],
  etag: ['The cursor again, as a name for this state of the log: If-None-Match in the next poll goes on from it.', ...FIELD('8.8.3')],
  date: ['When the answer was made, by the server’s clock.', ...FIELD('6.6.1')],
  'log-cursor': ['Where in the log this answer begins.', ...HERE],
  'log-server': ['Which of the servers that share the log has answered.', ...HERE],
  'retry-after': ['When to ask again.', ...FIELD('10.2.3')],
};

/** Returns what a part is: its group, name, explanation, standard and address. */
export function explained({ label, name }) {
  if (label === 'header') {
    const known = HEADERS[name] ?? ['A header of the answer.', ...FIELD('6.3')];
    return { group: 'http', name: `header ${name}`, text: known[0], standard: known[1], address: known[2] };
  }
  const [group, title, text, standard, address] = TERMS[label];
  return { group, name: label === 'field' ? `field ${name}` : title, text, standard, address };
}

/** The labels that there are, and the headers that are explained, for tests. */
export const LABELS = [...Object.keys(TERMS), 'header'];
