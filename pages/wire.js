// The page /wire: one channel, followed by each transport at the same time, byte by byte. This file has the page
// around the panels; what a panel is, is in wire-panel.js.
import { CHANNEL, Panel, inWords } from './wire-panel.js';
import { element } from './wire-bytes.js';
import { known } from './wire-log.js';
import { switches } from './wire-faults.js';
import { copying } from './wire-copy.js';
import { tour } from './wire-tour.js';
import { explain } from './wire-explain.js';
import { tap } from './wire-tap.js';
import { timeline } from './wire-timeline.js';
import { refusal } from './page.js';
import { t } from './words.js';

// Over HTTP/1.1 a browser holds six connections to a server; one of them stays free for sending.
const CONNECTIONS = 6;
const AT_ONCE = CONNECTIONS - 1;

const find = css => document.querySelector(css);
const panels = [];

const page = {
  sending: 0,
  asked: false,
  panels,

  // Shows a notice.
  say(text) {
    find('#said').textContent = text;
  },

  choose(part, button) {
    explain(part, button);
    tour.changed(page);
  },

  // Cuts, starts or resumes a panel.
  pressed(panel) {
    if (panel.isOn) {
      panel.cut();
      page.say(t('{name} is cut. Send a message, then resume.', { name: panel.name }));
      return;
    }
    const others = panels.filter(other => other.isOn);
    const { name } = panel;
    let said = panel.requests ? t('{name} resumes.', { name }) : t('{name} starts.', { name });
    if (others.length >= AT_ONCE) {
      others[0].cut();
      said = t('{said} {name} was cut to make room: at most {n} are open, so that one connection stays free for sending.', { said, name: others[0].name, n: AT_ONCE });
    }
    page.say(said);
    panel.start();
  },

  // Updates the page, once for all changes that happen at the same time.
  changed() {
    if (page.asked) return;
    page.asked = true;
    queueMicrotask(() => {
      page.asked = false;
      for (const panel of panels) panel.showMissed();
      page.slots();
      page.compare();
      switches.show(panels);
      tour.changed(page);
    });
  },

  // Shows the six connections, and which panel has each of them.
  slots() {
    const taken = panels.filter(panel => panel.isOn && panel.state !== 'broken').map(panel => panel.short);
    const slots = [...document.querySelectorAll('#slots li')];
    slots.forEach((slot, i) => {
      const last = i === CONNECTIONS - 1;
      const text = taken[i] ?? (last ? (page.sending ? 'POST' : t('for sending')) : t('free'));
      if (slot.textContent !== text) slot.textContent = text;
      slot.className = taken[i] || (last && page.sending) ? 'used' : '';
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
    page.sending += 1;
    page.changed();
    const post = timeline.send();
    const stuck = setTimeout(() => page.say(t('No answer yet. Other tabs may hold connections to this server; a browser opens {n} in all.', { n: CONNECTIONS })), 2000);
    try {
      const response = await fetch(CHANNEL, { method: 'POST', body: data, headers: { Accept: 'application/json' } });
      const answer = await response.json();
      if (!response.ok) throw refusal(response.status, answer);
      known.add(answer.cursor, data, post.from);
      page.sent = (page.sent ?? 0) + 1;
      page.say(t('“{text}” was appended; its cursor is {cursor}.', { text: data.slice(0, 60), cursor: answer.cursor }));
    } catch (error) {
      page.say(t('Not sent: {error}.', { error: inWords(error) }));
    } finally {
      clearTimeout(stuck);
      post.to = performance.now();
      page.sending -= 1;
      page.changed();
    }
  },

  // Shows what the scripts see, or what the sockets were written, which the server tells of streams that are
  // asked for with a tap.
  async view(side) {
    document.body.dataset.view = side;
    for (const button of document.querySelectorAll('#views button')) button.setAttribute('aria-pressed', String(button.value === side));
    tap.close();
    if (side === 'script') return page.changed();
    try {
      await tap.open(tapped);
      page.say(t('Each stream was asked for again, with a tap: from here on the server tells what it writes to their sockets.'));
      for (const panel of panels) panel.again();
    } catch (error) {
      page.say(t('No tap: {error}.', { error: inWords(error) }));
    }
    return page.changed();
  },
};

// What the server tells of the sockets.
const tapped = {
  request(as, head, at) {
    const panel = panels.find(other => other.as === as);
    panel?.writes.request(as, head, at);
    return panel;
  },
  write(panel, bytes, at) {
    if (!panel) return;
    timeline.write(panel.as, at);
    panel.writes.write(bytes, at);
    tour.changed(page);
  },
  end(panel, isOver, at) { panel?.writes.end(isOver, at); },
  lost(bytes) { for (const panel of panels) panel.writes.lost(bytes); },
  closed() { if (document.body.dataset.view === 'socket' && !document.hidden) page.view('socket'); },
};

for (const section of document.querySelectorAll('.wire-panel')) panels.push(new Panel(section, page));
for (let i = 0; i < CONNECTIONS; i += 1) find('#slots').append(element('li'));
// Longer names have no room in the picture.
const SHORT = { sse: 'SSE', html: t('Forever frame') };
timeline.begin(find('#timeline'), panels.map(({ as, name }) => [as, SHORT[as] ?? name]));
copying.begin(panels);
switches.begin(page);
tour.begin(page);
for (const button of document.querySelectorAll('#views button')) button.addEventListener('click', () => page.view(button.value));

/** Finds the end of the log, where all panels begin. */
async function locate() {
  for (;;) {
    try {
      const response = await fetch(`${CHANNEL}?as=text&since=now`, { method: 'HEAD', cache: 'no-store' });
      if (!response.ok) throw new Error(t('status {status}', { status: response.status }));
      known.begin(response.headers.get('Log-Cursor'));
      return;
    } catch (error) {
      page.say(t('No answer yet ({error}). Trying again.', { error: inWords(error) }));
      await new Promise(done => { setTimeout(done, 2000); });
    }
  }
}
known.ready = locate();

find('#send').addEventListener('submit', async event => {
  event.preventDefault();
  await known.ready;
  page.send(find('#message'));
});

// The page gives its connections back when it is left or hidden, since other pages may need them, and takes
// them again when it is seen again.
let left = [];
function giveBack(why) {
  const on = panels.filter(panel => panel.isOn);
  left.push(...on);
  for (const panel of on) panel.cut(why);
  tap.close();
}
async function takeAgain() {
  if (document.body.dataset.view === 'socket') await page.view('socket');
  for (const panel of left.splice(0)) if (!panel.isOn) panel.start();
}
addEventListener('pagehide', () => giveBack(t('cut: this page was left')));
addEventListener('pageshow', event => { if (event.persisted) takeAgain(); });
document.addEventListener('visibilitychange', () => { if (document.hidden) giveBack(t('cut: this page is hidden')); else takeAgain(); });
setInterval(() => {
  for (const panel of panels) panel.look();
  switches.show(panels);
}, 1000);

// Plain text is not started: it is at home in a terminal.
const text = panels.find(({ as }) => as === 'text');
for (const list of [text, text.writes]) list.add(element('li', 'request', t('Not started: the last of the {n} connections is left for sending. When you start it, the first of the others is cut to make room. Or follow it in a terminal: “Copy” has the command. A message is a line there, and a quiet second a dot.', { n: CONNECTIONS })));
for (const panel of panels.filter(({ as }) => as !== 'text')) panel.start();
