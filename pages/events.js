// The page /events: shows named events as they arrive, and has a form that sends them.
import { colored } from './colors.js';
import { $, at, part, sendWith, showState } from './page.js';
import { locale, t } from './words.js';

const CHANNEL = at('/c/events'), SHOWN = 200;

let stream;

/** Opens the stream from a cursor or from another start that `since` names. */
function listen(since) {
  stream = new ForeverFrame(CHANNEL, { events: ['sentMessage'], since, heartbeat: 5, background: false });
  stream.addEventListener('sentMessage', e => {
    let message;
    try { message = JSON.parse(e.data); } catch { message = null; }
    // Anyone can send any data under that name.
    if (typeof message?.text === 'string') show(e, String(message.from ?? t('someone')), message.text);
    else show(e, t('unexpected data'), e.data);
  });
  // Events without a name fire `message`, as with EventSource.
  stream.addEventListener('message', e => show(e, t('no name'), e.data));
  stream.addEventListener('gap', e => showGap(e));
  showState(stream, $('state'));
  stream.addEventListener('state', buttons);
  stream.addEventListener('open', () => form.isBack());
  buttons();
}

/** Enables the buttons that make sense in the current state. */
function buttons() {
  const closed = stream.state === 'closed';
  $('close').disabled = closed;
  $('reopen').disabled = !closed;
}

/** Appends a row, and removes the oldest ones past the limit. */
function add(row) {
  const list = $('messages');
  list.append(row);
  while (list.children.length > SHOWN) list.firstElementChild.remove();
}

/** Shows a message with its id and origin. */
function show(e, from, text) {
  const row = document.createElement('li');
  const shown = part('span', 'text', '');
  shown.append(colored(text));
  row.append(part('b', 'from', from), shown);
  const id = part('span', 'facts', '');
  if (e.time) id.append(part('time', '', new Date(e.time).toLocaleTimeString(locale)), ' · ');
  id.append('lastEventId ', part('code', 'id', e.lastEventId), ' · origin ', part('code', 'origin', e.origin));
  row.append(id);
  add(row);
}

/** Shows that messages are missing, and why. */
function showGap({ reason, missed }) {
  const why = {
    epoch: t('The server has begun a new log.'),
    expired: t('Some messages have expired.'),
    future: t('This page has seen more than the server’s log contains.'),
  };
  const many = missed ? ` ${t('Missed: {n}.', { n: missed })}` : '';
  add(part('li', 'gap', `${why[reason] ?? reason}${many}`));
}

const form = sendWith($('send'), $('text'), $('problem'), () => {
  const [from, text] = [$('from').value, $('text').value];
  try { sessionStorage.setItem('from', from); } catch { /* no storage */ }
  return { address: `${CHANNEL}?event=sentMessage`, body: JSON.stringify({ from, text }) };
}, () => stream);

$('close').addEventListener('click', () => { stream.close(); $('reopen').focus(); });
// The new stream starts at the old one's cursor, so it catches up with what came in the meantime.
$('reopen').addEventListener('click', () => { listen(stream.cursor ?? '-10'); $('close').focus(); });

const NAMES = ['Ada', 'Alan', 'Barbara', 'Edsger', 'Grace', 'Katherine', 'Ken', 'Radia', 'Tim'];
/** Returns the name that was used in this tab before, or another one. */
function myName() {
  const name = NAMES[Math.floor(Math.random() * NAMES.length)];
  try {
    if (!sessionStorage.getItem('from')) sessionStorage.setItem('from', name);
    return sessionStorage.getItem('from');
  } catch { return name; }
}
if (!$('from').value) $('from').value = myName();
$('cannot').hidden = 'EventSource' in window;
listen('-10');
