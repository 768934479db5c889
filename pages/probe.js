// The page /probe: watches lines come that say when they were sent, sends lines itself where the browser can,
// and shows what the server concludes from what was seen.
import { $, addCopyButtons, at, part, request } from './page.js';
import { t, translated } from './words.js';

/** The lines of a run, the time between them and the silence before the last, in ms, as the server sends them by itself. */
const [LINES, INTERVAL, QUIET] = [8, 500, 2000];
const COUNT = LINES + 1;
/** The length of a track, in ms. */
const WHOLE = (LINES - 1) * INTERVAL + QUIET + 700;

/** When the line with this number is due, from 0 on. */
const due = number => number < LINES ? number * INTERVAL : (LINES - 1) * INTERVAL + QUIET;

/** Puts a mark on a track. */
function mark(track, kind, ms) {
  const element = part('i', kind);
  element.style.left = `${Math.min(100, 100 * ms / WHOLE)}%`;
  $(track).querySelector('span').append(element);
}

/** Clears the tracks, and marks where lines are to come. */
function clear() {
  for (const track of ['track-text', 'track-events', 'track-up']) {
    $(track).querySelector('span').replaceChildren();
    for (let number = 0; number < COUNT; number += 1) mark(track, '', due(number));
  }
}

/** Calls `line` with each line of an answer when it has come. */
async function eachLine(answer, line) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split('\n');
    rest = lines.pop();
    lines.forEach(line);
  }
}

/** Watches lines of the server come, and returns what was seen of them. */
async function watch(form, track, lines = LINES, quiet = QUIET) {
  const run = { expected: quiet ? lines + 1 : lines, lines: [], ended_ms: 0 };
  const seen = { run, headers: [], id: '', version: '', asked_with: [] };
  const began = performance.now();
  const since = () => performance.now() - began;
  try {
    const answer = await fetch(at(`/probe?as=${form}&lines=${lines}&quiet=${quiet}ms`), { cache: 'no-cache', headers: { Accept: form === 'sse' ? 'text/event-stream' : 'text/plain' } });
    run.status = answer.status;
    seen.headers = [...answer.headers];
    await eachLine(answer, text => {
      const line = text.replace(/^data: /, '');
      const sent = / sent after ([\d.]+) s/.exec(line);
      if (sent) {
        const time = { sent_ms: sent[1] * 1000, came_ms: since() };
        run.lines.push(time);
        if (track) mark(track, 'came', time.came_ms);
      } else if (line.startsWith('probe ')) {
        seen.id = line;
      } else if (line.startsWith('asked by ')) {
        const [version, ...headers] = line.slice('asked by '.length).split('; ');
        seen.version = version;
        seen.asked_with = headers.map(header => [header.split(': ')[0], header.split(': ').slice(1).join(': ')]);
      }
    });
  } catch (error) {
    if (!run.status) run.failure = error.message;
  }
  run.ended_ms = since();
  return seen;
}

/** Whether the browser can send lines one by one here: over HTTP/1.1 none can. */
const sends = () => performance.getEntriesByType('navigation')[0]?.nextHopProtocol === 'h2' && 'duplex' in Request.prototype;

/** Sends lines to the server, and returns what was seen of them. */
async function send() {
  const began = performance.now();
  const sent = [];
  const encoder = new TextEncoder();
  const body = new ReadableStream({
    async pull(controller) {
      if (sent.length === COUNT) return controller.close();
      await new Promise(done => setTimeout(done, due(sent.length) - (performance.now() - began)));
      const sent_ms = performance.now() - began;
      const line = encoder.encode(`line ${sent.length + 1} of ${COUNT}, sent after ${(sent_ms / 1000).toFixed(3)} s\n`);
      sent.push({ bytes: line.length, sent_ms });
      controller.enqueue(line);
    },
  }, { highWaterMark: 0 });
  const seen = { sent };
  try {
    const answer = await fetch(at('/probe'), { method: 'POST', body, duplex: 'half', headers: { Accept: 'application/json' } });
    Object.assign(seen, { status: answer.status, answered_ms: performance.now() - began });
    if (answer.ok) seen.answer = await answer.json();
  } catch (error) {
    if (!seen.status) seen.failure = error.message;
  }
  const head = seen.answered_ms - (seen.answer?.took_ms ?? 0);
  for (const { after_ms } of seen.answer?.arrivals ?? []) mark('track-up', 'came', head + after_ms);
  return seen;
}

/** How long a request without a body takes to be answered, the shortest of three. */
async function roundTrip() {
  const times = [];
  for (let n = 0; n < 3; n += 1) {
    const began = performance.now();
    await fetch(at('/probe'), { method: 'HEAD', headers: { Accept: 'text/plain' }, cache: 'no-store' });
    times.push(performance.now() - began);
  }
  return Math.min(...times);
}

/** Tries everything, and returns what was seen. */
async function observe() {
  const round_trip_ms = await roundTrip();
  const up = sends() ? send() : null;
  $('track-up').classList.toggle('untried', !up);
  if (!up) $('track-up').querySelector('span').replaceChildren();
  const [text, events] = await Promise.all([watch('text', 'track-text'), watch('sse', 'track-events')]);
  const first = await watch('text', null, 1, 0), second = await watch('text', null, 1, 0);
  return {
    round_trip_ms, text: text.run, events: events.run, up: await up,
    is_repeated: first.id !== '' && first.id === second.id,
    headers: [...text.headers, ...second.headers],
    version: first.version, asked_with: first.asked_with, is_browser: true,
  };
}

/** Shows what the server concludes. */
function show({ is_fine, summary, rows, remedies }) {
  $('verdict').dataset.fine = is_fine;
  $('verdict').textContent = translated(summary);
  $('findings').replaceChildren(...rows.flatMap(row => [part('dt', '', translated(row.what)), part('dd', row.is_fine ? '' : 'wrong', translated(row.says))]));
  $('remedies').replaceChildren(...remedies.flatMap(remedy => {
    const all = [part('p', '', translated(remedy.say))];
    if (remedy.write) all.push(part('pre', '', remedy.write));
    return all;
  }));
}

/** Probes once. */
async function probe() {
  $('again').disabled = true;
  delete $('verdict').dataset.fine;
  $('verdict').textContent = t('Probing … this takes about 6 seconds.');
  clear();
  try {
    const body = JSON.stringify(await observe());
    show(await request(at('/probe'), { method: 'POST', body, headers: { Accept: 'application/json', 'Content-Type': 'application/json' } }));
  } catch (error) {
    $('verdict').dataset.fine = false;
    $('verdict').textContent = t('The probe did not come to its end: {error}.', { error: error.message });
  }
  $('again').disabled = false;
}

$('again').addEventListener('click', probe);
addCopyButtons();
probe();
