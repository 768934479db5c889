// The page /events: named events, shown as they come; a form that sends them.
'use strict';

const $ = id => document.getElementById(id);
const CHANNEL = '/c/events', SHOWN = 200;

let stream;

function listen(since) {
  stream = new ForeverFrame(CHANNEL, { events: ['sentMessage'], since });
  stream.addEventListener('sentMessage', e => {
    let said;
    try { said = JSON.parse(e.data); } catch { said = null; }
    // Anybody may send anything under that name.
    if (typeof said?.text === 'string') show(e, String(said.from ?? 'somebody'), said.text);
    else show(e, 'not as agreed', e.data);
  });
  // Events without a name come here, as with EventSource.
  stream.addEventListener('message', e => show(e, 'no name', e.data));
  stream.addEventListener('gap', e => showGap(e));
  stream.show($('state'));
  stream.addEventListener('state', buttons);
  buttons();
}

function buttons() {
  const closed = stream.state === 'closed';
  $('close').disabled = closed;
  $('reopen').disabled = !closed;
}

/** An element with a class and a text; never with HTML. */
function part(name, kind, text) {
  const element = document.createElement(name);
  element.className = kind;
  element.textContent = text;
  return element;
}

function add(row) {
  const list = $('messages');
  list.append(row);
  while (list.children.length > SHOWN) list.firstElementChild.remove();
}

function show(e, from, text) {
  const row = document.createElement('li');
  row.append(part('b', 'from', from), part('span', 'text', text));
  const id = part('span', 'facts', '');
  id.append('lastEventId ', part('code', 'id', e.lastEventId), ' · origin ', part('code', 'origin', e.origin));
  row.append(id);
  add(row);
}

function showGap({ reason, missed }) {
  const why = {
    epoch: 'The server’s log has begun anew.',
    expired: 'Some messages were too old to be kept.',
    future: 'The server’s log is shorter than what was seen of it.',
  };
  const many = missed ? ` ${missed} missed.` : '';
  add(part('li', 'gap', `${why[reason] ?? reason}${many}`));
}

$('send').addEventListener('submit', async e => {
  e.preventDefault();
  const [from, text] = [$('from').value, $('text').value];
  try {
    const answer = await fetch(`${CHANNEL}?event=sentMessage`, { method: 'POST', body: JSON.stringify({ from, text }) });
    if (!answer.ok) throw new Error((await answer.json()).error);
    $('problem').textContent = '';
    $('text').value = '';
  } catch (error) {
    $('problem').textContent = `Not sent: ${error.message}`;
  }
  $('text').focus();
});

$('close').addEventListener('click', () => { stream.close(); $('reopen').focus(); });
// From where it was: what came in the meantime is caught up.
$('reopen').addEventListener('click', () => { listen(stream.cursor ?? '-10'); $('close').focus(); });

const NAMES = ['Ada', 'Alan', 'Barbara', 'Edsger', 'Grace', 'Katherine', 'Ken', 'Radia', 'Tim'];
$('from').value = NAMES[Math.floor(Math.random() * NAMES.length)];
$('origin').textContent = location.origin;
$('cannot').hidden = 'EventSource' in window;
listen('-10');
