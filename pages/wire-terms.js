// What the labels of wire-labels.js mean, each with the section of the standard that says so.

import { at } from './page.js';
import { t } from './words.js';

const RFC = number => `https://www.rfc-editor.org/rfc/rfc${number}`;
const IN_RFC = (number, section) => [t('RFC {number}, section {section}', { number, section }), `${RFC(number)}#section-${section}`];
const HTTP = section => IN_RFC(9112, section);
const FIELD = section => IN_RFC(9110, section);
const HTML = section => t('HTML standard, section {section}', { section });
const EVENTS = 'https://html.spec.whatwg.org/multipage/server-sent-events.html';
const PARSING = [HTML('9.2.5'), `${EVENTS}#parsing-an-event-stream`];
const INTERPRETING = [HTML('9.2.6'), `${EVENTS}#event-stream-interpretation`];
const JSON_TEXT = section => IN_RFC(8259, section);
const NDJSON = [t('NDJSON specification'), 'https://github.com/ndjson/ndjson-spec'];
const HERE = [t('forever-frame’s own'), at('/openapi.json')];

// label: [group, name, explanation, standard, address]. Groups have colours of their own.
const TERMS = {
  status: ['http', t('status line'), t('The version of HTTP, the status, and a phrase for people. 200: what follows is the answer.'), ...HTTP('4')],
  'head-end': ['http', t('end of the head'), t('An empty line ends the headers. A browser calls onopen now, although not a byte of the body may be there.'), ...HTTP('2.1')],
  'chunk-size': ['chunk', t('chunk size'), t('So many bytes of the body follow, as a hexadecimal number. The server need not know how long the answer will be: this is what makes an answer without an end possible.'), ...HTTP('7.1')],
  'chunk-end': ['chunk', t('end of the chunk'), t('CR LF after the bytes of the chunk. Proxies may cut the body into other chunks, so no client may take a chunk for a message.'), ...HTTP('7.1')],
  'last-chunk': ['chunk', t('last chunk'), t('A chunk of no bytes: the answer is over, in order. A connection that ends without it was cut, and a client can tell.'), ...HTTP('7.1')],
  'body-end': ['chunk', t('end of the body'), t('Headers could follow the last chunk; an empty line says that there are none.'), ...HTTP('7.1.2')],
  payload: ['payload', t('message'), t('What the sender wrote, as this transport writes it. All else is around it.'), ...HERE],
  cursor: ['position', t('cursor'), t('EPOCH-SEQ: everything up to here has been seen. Whoever comes back says it, and goes on from here.'), ...HERE],
  heartbeat: ['beat', t('heartbeat'), t('Nothing is new, but the connection lives. It keeps proxies from closing it, and lets both sides notice a line that is dead.'), HTML('9.2.7'), `${EVENTS}#authoring-notes`],
  'line-end': ['frame', t('end of a line'), t('LF. Text, event streams and JSON lines are read line by line, so messages have a border of their own, whatever the chunks are.'), ...PARSING],
  field: ['frame', t('name of a field'), t('id: the cursor, which the browser remembers · event: the name to listen for · data: a line of the message · retry: when to come back.'), ...INTERPRETING],
  'field-value': ['frame', t('value of a field'), t('The value of a field that the standard does not know; a browser passes it over.'), ...INTERPRETING],
  'event-name': ['frame', t('name of the event'), t('addEventListener hears this name. Without the field it is “message”.'), ...INTERPRETING],
  retry: ['frame', t('time to come back'), t('Milliseconds until the browser asks again when the connection has broken.'), ...INTERPRETING],
  dispatch: ['frame', t('blank line'), t('It ends the event: only now the browser fires it. An event without its blank line, at a cut, is thrown away.'), ...INTERPRETING],
  'server-object': ['frame', t('what the server says'), t('The data of an event of the server’s own: that you have caught up (live), a gap, the end.'), ...HERE],
  json: ['frame', 'JSON', t('Names, braces and quotes around the values of an object.'), ...JSON_TEXT('4')],
  kind: ['frame', t('kind of the object'), t('message, heartbeat, gap, live, closed or end: where there is no standard for events, a field says what the line is.'), ...NDJSON],
  page: ['frame', t('a page'), t('The head of an ordinary HTML page. It is padded to 1 KiB, since some browsers paint nothing before.'), HTML('13.1'), 'https://html.spec.whatwg.org/multipage/syntax.html'],
  element: ['frame', t('element'), t('A paragraph of the page that never ends. The browser paints it when it comes, without any script. data-cursor says how far the page is.'), HTML('13.1.2'), 'https://html.spec.whatwg.org/multipage/syntax.html#elements-2'],
  'element-end': ['frame', t('end of the element'), t('In a message “<” is written &lt;, so none can end its element.'), HTML('13.1.2'), 'https://html.spec.whatwg.org/multipage/syntax.html#end-tags'],
  color: ['frame', t('colour'), t('A colour of the message, which a terminal would have as an escape sequence.'), t('ECMA-48, section {section}', { section: '8.3.117' }), 'https://ecma-international.org/publications-and-standards/standards/ecma-48/'],
  mark: ['frame', t('mark of the server'), t('What the server says of the stream itself: a gap, that a channel is closed, or the end, with the cursor and the reason.'), ...HERE],
  guard: ['frame', t('guard'), t('This message begins like a dot or a mark; the backslash says that it is none.'), ...HERE],
  script: ['frame', t('script'), t('A call of the outer page. The nonce is this answer’s own: the browser runs no other script, whatever a message says.'), t('Content Security Policy 3, section {section}', { section: '2.3.1' }), 'https://www.w3.org/TR/CSP3/#framework-directive-source-list'],
  'script-end': ['frame', t('end of the script'), t('Now the browser runs the call. In a message “<” is written \\u003c, so none can end the script.'), HTML('4.12.1.3'), 'https://html.spec.whatwg.org/multipage/scripting.html#restrictions-for-contents-of-script-elements'],
  error: ['frame', t('body of an error'), t('The server says in a sentence what was wrong.'), ...FIELD('15.5')],
  extra: ['frame', t('past the end'), t('These bytes belong to no answer.'), ...HTTP('9.2')],
};

const HEADERS = {
  'content-type': [t('The format of the body. An EventSource takes exactly text/event-stream, and nothing else.'), ...FIELD('8.3')],
  'transfer-encoding': [t('chunked: the body comes in pieces, each with its size in front, and its length is not known.'), ...HTTP('6.1')],
  'content-length': [t('The length of the body in bytes. A long poll is whole before it is sent, so it can say it.'), ...HTTP('6.2')],
  'cache-control': [t('No cache may keep the answer (no-store), and no proxy may change it, for instance by compressing, which would hold it back (no-transform).'), ...IN_RFC(9111, '5.2.2')],
  connection: [t('close: no other request follows on this connection, since the stream has it for itself.'), ...HTTP('9.6')],
  'x-accel-buffering': [t('no: nginx, and proxies that have taken this over, pass each piece on at once.'), 'nginx, proxy_buffering', 'https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering'],
  'x-content-type-options': [t('nosniff: the browser does not guess the format from the first bytes. Chrome would wait for 1 KiB of a plain text otherwise.'), t('Fetch standard'), 'https://fetch.spec.whatwg.org/#x-content-type-options-header'],
  incremental: [t('?1: intermediaries are asked to pass on each part when it comes.'), ...IN_RFC(10036, '2')],
  'content-security-policy': [t('Which scripts may run in this page: those alone that carry the nonce of this answer.'), 'Content Security Policy 3', 'https://www.w3.org/TR/CSP3/'],
  vary: [t('The same address has other formats for other values of this request header; caches must tell them apart.'), ...FIELD('12.5.5')],
  etag: [t('The cursor again, as a name for this state of the log: If-None-Match in the next poll goes on from it.'), ...FIELD('8.8.3')],
  date: [t('When the answer was made, by the server’s clock.'), ...FIELD('6.6.1')],
  'log-cursor': [t('Where in the log this answer begins.'), ...HERE],
  'log-server': [t('Which of the servers that share the log has answered.'), ...HERE],
  'retry-after': [t('When to ask again.'), ...FIELD('10.2.3')],
};

/** Returns what a part is: its group, name, explanation, standard and address. */
export function explained({ label, name }) {
  if (label === 'header') {
    const known = HEADERS[name] ?? [t('A header of the answer.'), ...FIELD('6.3')];
    return { group: 'http', name: t('header {name}', { name }), text: known[0], standard: known[1], address: known[2] };
  }
  const [group, title, text, standard, address] = TERMS[label];
  return { group, name: label === 'field' ? t('field {name}', { name }) : title, text, standard, address };
}

/** The labels that there are, and the headers that are explained, for tests. */
export const LABELS = [...Object.keys(TERMS), 'header'];
