// The page /frame: shows every call that the hidden iframe makes.
import { colored } from './colors.js';
import { $, at, sendWith, showState } from './page.js';
import { t } from './words.js';

const SHOWN = 200, LONGEST = 400;
const count = { begun: 0, ended: 0, calls: 0, count: 0 };

// The frame belongs to ForeverFrame. This page only observes its calls.
addEventListener('message', e => {
  const frame = document.querySelector('iframe');
  if (e.origin !== location.origin || e.source !== frame?.contentWindow) return;
  const { type, cursor, reason = '' } = e.data;
  count.calls += 1;
  if (type === 'open') count.begun += 1;
  if (type === 'end') count.ended += 1;
  // The stream's listeners below show messages and gaps, each once, whatever breaks.
  if (type !== 'message' && type !== 'gap') show(type, cursor, reason);
  showCounts();
});

const stream = new ForeverFrame(at('/c/main'), { transports: ['script'], shared: false, since: '-10', background: false });
showState(stream, $('state'));
stream.addEventListener('message', e => {
  count.count += 1;
  show(e.event, e.cursor, e.data);
  showCounts();
});
stream.addEventListener('gap', e => show('gap', e.cursor, e.reason));

/** Appends a row with the kind of a call, its text and its cursor, which are never read as HTML. */
function show(type, cursor, text) {
  const row = document.createElement('li');
  row.className = ['open', 'live', 'heartbeat', 'end'].includes(type) ? 'aside' : type === 'gap' ? 'gap' : 'said';
  const parts = [['b', 'from', type], ['span', 'text', shortened(text)], ['code', 'facts', cursor]];
  for (const [name, kind, content] of parts) {
    const element = document.createElement(name);
    element.className = kind;
    element.append(kind === 'text' ? colored(content) : content);
    row.append(element);
  }
  const list = $('messages');
  list.append(row);
  while (list.children.length > SHOWN) list.firstElementChild.remove();
}

/** Returns a text as it is shown: cut if it is long. */
const shortened = text => text.length <= LONGEST ? text : t('{text} … ({n} characters)', { text: text.slice(0, LONGEST), n: text.length });

/** Shows the counts. */
function showCounts() {
  for (const [name, value] of Object.entries(count)) $(name).textContent = value;
}

const form = sendWith($('send'), $('text'), $('problem'), () => ({ address: at('/send'), body: $('text').value }), () => stream);
stream.addEventListener('open', () => form.isBack());
