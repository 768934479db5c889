// The page /clock: shows the server's time as it arrives.
import { $, addCopyButtons, at, showState } from './page.js';
import { t } from './words.js';

const count = { opens: 0, ticks: 0, missed: 0, twice: 0 };
let before = null;

// The page wants only events without a name, so `events` is empty and EventSource can be used.
const stream = new ForeverFrame(at('/clock'), { events: [], rhythm: 1, heartbeat: 2, background: false });
showState(stream, $('state'));
stream.addEventListener('open', () => { count.opens += 1; showCounts(); });
stream.addEventListener('message', e => tick(e.data));

/** Shows a tick such as 2026-11-20T12:08:52+00:00 as it was sent, in the server's time zone. */
function tick(data) {
  const parts = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(.*)$/.exec(data);
  if (!parts) return;
  const [, date, time, zone] = parts;
  $('time').textContent = time;
  $('time').dateTime = data;
  $('date').textContent = t('{date}, {zone}', { date, zone: zone === '+00:00' ? 'UTC' : `UTC${zone}` });
  count.ticks += 1;
  const seconds = Date.parse(data) / 1000;
  if (before !== null) {
    if (seconds === before) count.twice += 1;
    else count.missed += Math.max(0, seconds - before - 1);
  }
  before = seconds;
  showCounts();
}

/** Shows the counts. */
function showCounts() {
  for (const [name, value] of Object.entries(count)) $(name).textContent = value;
}

addCopyButtons();
