// The home page: the last messages of the channel main, and what comes.

import { colored } from './colors.js';
import { $, addCopyButtons, at, part, sendWith, showState } from './page.js';
import { locale } from './words.js';

const SHOWN = 50;

const stream = new ForeverFrame(at('/c/main'), { since: document.body.dataset.since ?? '-5', heartbeat: 5, background: false });
showState(stream, $('state'));
stream.addEventListener('message', ({ data, time }) => {
  const row = part('li'), text = part('span', 'text');
  text.append(colored(data));
  row.append(part('time', 'from', new Date(time).toLocaleTimeString(locale)), text);
  $('messages').append(row);
  while ($('messages').children.length > SHOWN) $('messages').firstElementChild.remove();
});
const form = sendWith($('send'), $('msg'), $('problem'), () => ({ address: at('/c/main'), body: $('msg').value }), () => stream);
stream.addEventListener('open', () => form.isBack());
addCopyButtons();
