// The live log page. Its lines come in the page itself, which does not end: that needs no script. This script
// gives each line its time and a link, lets one search, and takes the stream over when all of the past is
// there: then the windows of a browser share one connection, and a hidden one needs none.

import './forever-frame.js';
import { Lines, countInWords } from './log-lines.js';
import { $, addCopyButtons, at, request, sendWith, showState } from './page.js';
import { t } from './words.js';

const view = document.querySelector('.stream'), list = view.querySelector('.lines');
const { channels, most } = document.body.dataset;
const address = new URL(location.href);
/** Whether the address asks for a part of the log, which ends. */
const isPart = ['limit', 'until', 'timeout'].some(name => address.searchParams.has(name));
for (const name of ['since', 'lastEventId', 'marks', 'heartbeat', 'pace', 'as', 'lang']) address.searchParams.delete(name);

const lines = new Lines(view, Number(most), show);
let stream = null;
/** Whether what the page brought has come to its end. */
let isOver = false;

// ---- What is around the lines ----

const search = $('search'), newer = $('newer');
document.body.classList.add('has-times');

let isShown = false;
/** Shows the numbers, once for all changes that happen at the same time. */
function show() {
  if (isShown) return;
  isShown = true;
  requestAnimationFrame(() => {
    isShown = false;
    $('count').textContent = countInWords(lines.counts);
    newer.hidden = lines.unseen === 0;
    newer.textContent = t('{n} new ↓', { n: lines.unseen });
    const title = `${channels} · forever-frame`;
    document.title = lines.unseen ? `(${lines.unseen}) ${title}` : title;
  });
}

let seeking;
search.addEventListener('input', () => {
  clearTimeout(seeking);
  seeking = setTimeout(() => lines.seek(search.value), 150);
});
newer.addEventListener('click', () => { lines.toEnd(); view.focus(); });
addCopyButtons();

/** Shows how many follow the channel, while somebody looks. */
async function showWatching() {
  if (document.hidden || !$('watching').textContent) return;
  try {
    const query = new URLSearchParams({ prefix: channels, limit: 1 });
    if (address.searchParams.has('key')) query.set('key', address.searchParams.get('key'));
    const answer = await request(at(`/c/?${query}`), { headers: { Accept: 'application/json' } });
    const [found] = answer.channels;
    if (found?.channel === channels) $('watching').textContent = t('{n} watching', { n: found.followers });
  } catch { /* the state says that the server does not answer */ }
}
setInterval(showWatching, 5000);

const form = $('send');
const sent = form && sendWith(form, $('msg'), $('problem'), () => ({ address: new URL(at(`/c/${channels}`), location), body: $('msg').value }), () => stream, () => {
  // A closed channel is open again when something was sent to it.
  if (stream ? stream.state === 'closed' : isOver) follow(lines.cursor);
});

// ---- The lines ----

/** Follows the channels from a cursor on. */
function follow(since) {
  stream?.close();
  for (const end of list.querySelectorAll('.end')) end.remove();
  stream = new ForeverFrame(address, { since, heartbeat: 5, background: false });
  stream.addEventListener('message', e => lines.add(e));
  stream.addEventListener('gap', ({ reason, missed, cursor }) => lines.say('gap', {
    expired: typeof missed !== 'number' ? t('Some messages have expired.') : missed === 1 ? t('1 message has expired.') : t('{n} messages have expired.', { n: missed }),
    epoch: t('The server has begun a new log.'),
    future: t('This page has seen more than the server’s log has.'),
  }[reason], { cursor }));
  stream.addEventListener('state', ({ state }) => {
    if (state === 'closed') lines.say('end', t('Nothing more comes: what this page follows is closed.'), { reason: 'closed' });
  });
  stream.addEventListener('open', () => { sent?.isBack(); showWatching(); });
  showState(stream, $('state'));
}

/** Takes the stream over from the page, which is stopped: it would be another connection. */
function takeOver() {
  observer.disconnect();
  // The dots say that the page's own connection lives; now the state says it.
  document.body.className = document.body.className.replace(/beat-\d+/, '');
  lines.adopt(list.querySelectorAll('[data-cursor]'));
  if (list.querySelector('.end[data-reason="closed"]')) {
    isOver = true;
    [$('state').textContent, $('state').dataset.state] = [t('closed'), 'closed'];
    return;
  }
  window.stop();
  // What was new is a part of the past now, and the dots are no lines.
  for (const part of list.querySelectorAll('.new')) part.replaceWith(...part.querySelectorAll(':scope > p'));
  follow(lines.cursor ?? 'all');
}

/** Looks whether all of the past is there. */
function look(elements) {
  lines.adopt(elements);
  for (const part of elements.filter(element => element.matches?.('.new'))) {
    observer.observe(part, { childList: true });
    lines.adopt(part.children);
  }
  if (isPart) return;
  if (elements.some(element => element.matches?.('.live, .end'))) takeOver();
}

const observer = new MutationObserver(changes => look(changes.flatMap(({ addedNodes }) => [...addedNodes])));
observer.observe(list, { childList: true });
look([...list.children]);
if (isPart) {
  $('state').textContent = t('a part of the log, as the address says');
  $('state').dataset.state = 'closed';
}
// The anchor in the address is that of a line which has just got it.
if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView({ block: 'center' });
