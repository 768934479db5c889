// A panel as its socket sees it: each write of the server, with a label for every byte.
import { Labels, decoded } from './wire-labels.js';
import { explained } from './wire-terms.js';
import { clock, element, showShort } from './wire-bytes.js';
import { t } from './words.js';

const ROWS = 40;
const BEATS = 4;

const at = time => clock(new Date(performance.timeOrigin + time));

/** The writes to the socket of one panel, in its list. */
export class Writes {
  // The list, and what is called with a label that is chosen.
  constructor(list, choose) {
    this.list = list;
    this.labels = null;
    list.addEventListener('click', event => {
      const chosen = event.target.closest('button');
      if (chosen) this.choose(chosen, choose);
    });
    // The arrow keys go from label to label; only one of them is a stop of the Tab key.
    list.addEventListener('keydown', event => {
      const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 }[event.key];
      const all = [...list.querySelectorAll('button')];
      const from = all.indexOf(document.activeElement);
      const to = { Home: 0, End: all.length - 1 }[event.key] ?? (step ? from + step : undefined);
      if (from < 0 || to === undefined || !all[to]) return;
      event.preventDefault();
      this.choose(all[to], choose, true);
    });
  }

  choose(button, choose, isByKey) {
    for (const other of this.list.querySelectorAll('button[tabindex="0"]')) other.tabIndex = -1;
    button.tabIndex = 0;
    if (isByKey) button.focus();
    choose(button.explains, button);
  }

  /** The server has read a request. */
  request(as, head, time) {
    this.labels = new Labels(as);
    const lines = element('code', 'head', ...head.map(line => element('span', 'line', line)));
    const more = element('details', '', element('summary', '', `${at(time)} → ${head[0]}`), lines);
    this.add(element('li', 'request', more));
    if (head[0].endsWith('HTTP/2.0')) {
      this.add(element('li', 'request', t('Over HTTP/2 a socket has the frames of all streams, in binary, and the server tells none of their bytes. Open this page by http:// to see those of HTTP/1.1.')));
    }
  }

  /** The socket has taken these bytes. */
  write(bytes, time) {
    const code = element('code');
    let kind = 'heartbeat';
    for (const part of this.labels?.take(bytes) ?? []) {
      code.append(this.button(part));
      if (part.label === 'payload') kind = 'message';
      else if (kind === 'heartbeat' && !['heartbeat', 'chunk-size', 'chunk-end', 'line-end'].includes(part.label)) kind = 'frame';
    }
    const row = element('li', '', element('span', 'meta', `${at(time)} ← ${bytes.length} B`), ' ', code);
    row.dataset.kind = kind;
    this.add(row);
  }

  /** Nothing more is written. */
  end(isOver, time) {
    this.labels = null;
    this.add(element('li', 'request', `${at(time)} ${isOver ? t('■ the answer is over') : t('✂ the connection broke')}`));
  }

  /** Some writes were not told. */
  lost(bytes) {
    this.labels = null;
    this.add(element('li', 'request', t('{n} B more were written than the server could tell; cut and resume to go on', { n: bytes })));
  }

  button(part) {
    const { group, name } = explained(part);
    const button = element('button', `part ${group}`);
    button.type = 'button';
    button.explains = part;
    button.tabIndex = -1;
    button.dataset.label = part.label;
    const text = decoded(part.bytes);
    for (const piece of text.split(/(\r|\n)/)) {
      if (piece === '\r' || piece === '\n') button.append(element('i', '', piece === '\r' ? 'CR' : 'LF'));
      else showShort(button, piece);
    }
    button.setAttribute('aria-label', t('{name}: {bytes}', { name, bytes: button.textContent }));
    return button;
  }

  add(row) {
    this.list.append(row);
    const beats = this.list.querySelectorAll('[data-kind="heartbeat"]');
    for (let i = 0; i < beats.length - BEATS; i += 1) beats[i].remove();
    while (this.list.childElementCount > ROWS) this.list.firstElementChild.remove();
    if (!this.list.querySelector('button[tabindex="0"]')) {
      const first = this.list.querySelector('button');
      if (first) first.tabIndex = 0;
    }
  }
}
