// The list of channels, kept up to date: the messages as they come, the figures every few seconds.

import { colored } from './colors.js';
import { at, showState } from './page.js';
import { locale, t } from './words.js';

const body = document.querySelector('.channels tbody');
const status = document.getElementById('status');
const template = document.querySelector('.channels template');
const figuresEvery = 3000;

const rowOf = (channel) => body.querySelector(`tr[data-channel='${CSS.escape(channel)}']`);

// A channel that has come since the page was loaded gets its place in the order of names.
const addRow = (channel) => {
  body.querySelector('.none')?.remove();
  const row = template.content.firstElementChild.cloneNode(true);
  row.dataset.channel = channel;
  const link = row.querySelector('a');
  link.href = at(`/c/${channel}`);
  link.textContent = channel;
  const after = [...body.rows].find((other) => other.dataset.channel > channel);
  body.insertBefore(row, after ?? null);
  return row;
};

const showTime = (row, time) => {
  const element = row.querySelector('time');
  element.dateTime = time ?? '';
  element.textContent = time ? new Date(time).toLocaleString(locale) : '';
};

const showClosed = (row, isClosed) => {
  row.querySelector('.state').textContent = isClosed ? t('closed') : '';
};

const showMessage = ({ channel, data, time }) => {
  const row = rowOf(channel) ?? addRow(channel);
  showClosed(row, false);
  const last = row.querySelector('.last');
  last.replaceChildren(colored(data));
  last.title = data;
  showTime(row, time);
};

// What this page lists, as programs ask for it, to whom languages mean nothing.
const address = new URL(location.href);
address.searchParams.delete('lang');

const showFigures = async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch(address, { headers: { Accept: 'application/json' } });
    for (const { channel, time, messages, closed, followers } of (await answer.json()).channels) {
      const row = rowOf(channel) ?? addRow(channel);
      row.querySelector('.messages').textContent = messages;
      row.querySelector('.followers').textContent = followers;
      showTime(row, time);
      showClosed(row, closed);
    }
  } catch {
    // The status says that the server cannot be reached.
  }
};

for (const row of body.rows) {
  const time = row.querySelector('time');
  if (time) showTime(row, time.dateTime);
}
// Only the first page has all that comes: later ones show what they list.
const asked = address.searchParams;
if (!asked.has('after')) {
  const stream = new ForeverFrame(at(`/c/${asked.get('prefix') ?? ''}*`), { since: 'each', heartbeat: 5, background: false });
  stream.addEventListener('message', showMessage);
  stream.addEventListener('closed', ({ channel }) => showClosed(rowOf(channel) ?? addRow(channel), true));
  showState(stream, status);
}
setInterval(showFigures, figuresEvery);
