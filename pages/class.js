// The page of a class: what the home page has, and how many others watch.

import './home.js';
import { $, at, request } from './page.js';
import { t } from './words.js';

/** Says how many watch, this page not among them, which is one, and two while it shows the bytes. */
async function showWatching() {
  if (document.hidden || !$('watching').textContent) return;
  try {
    const { channels: [found] } = await request(at('/c/?prefix=main&limit=1'), { headers: { Accept: 'application/json' } });
    if (found?.channel !== 'main') return;
    const own = document.querySelector('details[open]') ? 2 : 1;
    const others = Math.max(0, found.followers - own);
    $('watching').textContent = others === 0 ? t('Nobody is watching yet') : others === 1 ? t('1 is watching') : t('{n} are watching', { n: others });
  } catch { /* the state says that the server does not answer */ }
}
setInterval(showWatching, 2000);
