// Two minutes: five steps, each of which waits until the reader has done the thing, and a question that the
// page itself then answers.
import { known } from './wire-log.js';
import { path } from './wire-path.js';
import { t } from './words.js';

const find = css => document.querySelector(css);
const isSocket = () => document.body.dataset.view === 'socket';
const of = (page, as) => page.panels.find(panel => panel.as === as);

// A step: what to do; what to ask oneself meanwhile; begin, which notes how things are; and answer, which says
// what is seen as soon as the thing is done.
const STEPS = [
  {
    act: t('Send a message.'),
    ask: t('Which of the panels will have to ask again?'),
    begin: page => ({ sent: page.sent ?? 0, polls: of(page, 'json').requests }),
    answer(page, before) {
      const [poll, sse] = [of(page, 'json'), of(page, 'sse')];
      if ((page.sent ?? 0) === before.sent || poll.requests === before.polls) return null;
      const times = n => (n === 1 ? t('once') : t('{n} times', { n }));
      return t('The long poll alone: it has asked {polls} by now, the event stream {streams}. In the time line the one is many bars, the other a single one.', {
        polls: poll.requests === 1 ? t('1 time') : times(poll.requests), streams: times(sse.requests),
      });
    },
  },
  {
    act: t('Switch to “As the socket sees it”, and press a chunk size: a number in front of the bytes.'),
    ask: t('How can an answer begin before its length is known?'),
    begin: () => ({}),
    answer() {
      if (!isSocket() || find('#explained').hidden || find('#explained').dataset.label !== 'chunk-size') return null;
      const size = find('#explained').dataset.text.trim();
      return t('It says the length of one chunk at a time: {size} means that {n} bytes follow. The answer is over with a chunk of 0, which never comes here.', { size, n: parseInt(size, 16) });
    },
  },
  {
    act: t('Cut the Server-Sent Events, send two messages, and resume.'),
    ask: t('Who knows what that panel has missed: the server, or the panel?'),
    begin: page => ({ sent: page.sent ?? 0, asked: of(page, 'sse').requests }),
    answer(page, before) {
      const sse = of(page, 'sse');
      before.isCut ||= sse.state === 'cut';
      if (!before.isCut) before.sent = page.sent ?? 0;
      if (!before.isCut || (page.sent ?? 0) < before.sent + 2 || !sse.isOn || sse.state !== 'open' || known.after(sse).length) return null;
      const last = [...sse.at.chunks.querySelectorAll('.request b')].at(-1);
      return t('The panel: it asked with {cursor}, and got all that came after. The server has kept nothing for it but the log.', { cursor: last?.textContent ?? t('its cursor') });
    },
  },
  {
    act: t('Open “Break it yourself”, switch on the proxy that holds bytes, and send a message.'),
    ask: t('One panel gets it at once all the same. Which?'),
    begin: page => ({ sent: page.sent ?? 0 }),
    answer(page, before) {
      if (!path.hold) before.sent = page.sent ?? 0;
      if (!path.hold || (page.sent ?? 0) === before.sent) return null;
      const poll = of(page, 'json');
      const waiting = page.panels.filter(panel => panel.isOn && known.after(panel).length);
      if (known.after(poll).length || !waiting.length) return null;
      const [n, names] = [waiting.length, waiting.map(({ name }) => name).join(t(', '))];
      return n === 1
        ? t('The long poll: its answer ends, and a proxy passes on what has ended. 1 stream wait: {names}. That is why long polling lives on.', { names })
        : t('The long poll: its answer ends, and a proxy passes on what has ended. {n} streams wait: {names}. That is why long polling lives on.', { n, names });
    },
  },
  {
    act: t('Switch the proxy off again, and watch the streams.'),
    ask: t('Are the messages lost that it held?'),
    begin: () => ({}),
    answer(page) {
      const missing = page.panels.filter(panel => panel.isOn && known.after(panel).length);
      if (Object.values(path).some(Boolean) || missing.length) return null;
      const sse = of(page, 'sse');
      const late = sse.late && known.sent.get(sse.late.seq);
      if (!late) return t('No: every panel has them all. Late is not lost, as long as somebody keeps the log and somebody the cursor.');
      return t('No: every panel has them all; the latest took {seconds} s to the event stream. Late is not lost, as long as somebody keeps the log and somebody the cursor.', {
        seconds: ((sse.late.at - late) / 1000).toFixed(1),
      });
    },
  },
];

export const tour = {
  step: -1,
  noted: {},

  begin(page) {
    find('#tour').hidden = false;
    find('#tour .next').addEventListener('click', () => this.go(page, this.step + 1));
    find('#tour .leave').addEventListener('click', () => this.go(page, -1));
  },

  go(page, step) {
    this.step = step < STEPS.length ? step : -1;
    const now = STEPS[this.step];
    find('#tour').dataset.step = String(this.step + 1);
    find('#tour .leave').hidden = !now;
    find('#tour .answer').textContent = '';
    find('#tour .act').textContent = now ? t('{n} of {all}. {act}', { n: this.step + 1, all: STEPS.length, act: now.act }) : '';
    find('#tour .ask').textContent = now ? now.ask : '';
    const next = find('#tour .next');
    next.textContent = now ? (step === STEPS.length - 1 ? t('Done') : t('Next')) : t('Two minutes, guided');
    next.disabled = Boolean(now);
    this.noted = now?.begin(page) ?? {};
    this.changed(page);
  },

  // Looks whether the reader has done the thing.
  changed(page) {
    const now = STEPS[this.step];
    if (!now || find('#tour .answer').textContent) return;
    const answer = now.answer(page, this.noted);
    if (!answer) return;
    find('#tour .answer').textContent = answer;
    find('#tour .next').disabled = false;
  },
};
