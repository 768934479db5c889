// Break it yourself: the switches, what to expect of each, and what is seen.
import { path, set } from './wire-path.js';
import { known } from './wire-log.js';
import { count } from './wire-bytes.js';
import { t } from './words.js';

const find = css => document.querySelector(css);

// What each switch does to each transport, in the order of the table.
const ORDER = ['html', 'script', 'sse', 'ndjson', 'json', 'text'];
const EXPECTED = {
  hold: [t('starves: the message waits for 4 KiB'), t('starves'), t('starves'), t('starves'), t('gets it at once: its answer ends, and an end is passed on'), t('starves')],
  cut: [t('stops: reload it by hand'), t('comes back with its cursor'), t('comes back with Last-Event-ID: the browser does it'), t('comes back, if your code does'), t('comes back: it asks again anyway'), t('stops: curl exits with 18')],
  refuse: [t('an error page, for good'), t('comes back: its library tries again'), t('stops for good: an EventSource takes only 200'), t('comes back, if your code does'), t('comes back: it asks again'), t('stops: curl has the error')],
  stop: [t('nobody notices: buffers take it, and then the cursor waits'), t('the same'), t('the same'), t('the same'), t('the same; it asks no more'), t('the same')],
  delay: [t('each message is 300 ms late'), t('300 ms late'), t('300 ms late'), t('300 ms late'), t('300 ms late, and deaf for 600 ms while it asks again'), t('300 ms late')],
};

export const switches = {
  chosen: null,

  begin(page) {
    this.rows = ORDER.map(as => find(`#broken tr[data-as="${as}"]`));
    for (const input of document.querySelectorAll('#faults input')) {
      input.checked = false;
      input.addEventListener('change', () => {
        set(input.value, input.checked);
        this.chosen = input.checked ? input.value : this.chosen;
        document.body.dataset.broken = Object.keys(path).filter(name => path[name]).join(' ');
        this.show(page.panels);
        page.changed();
      });
    }
  },

  // Shows what is expected of the switch that was moved last, and what is seen.
  show(panels) {
    const any = Object.values(path).some(Boolean);
    if (!this.chosen) return;
    find('#broken').hidden = false;
    ORDER.forEach((as, i) => {
      const [expected, seen] = this.rows[i].querySelectorAll('td');
      const text = any ? EXPECTED[this.chosen][i] : t('all is well again: what was kept comes');
      if (expected.textContent !== text) expected.textContent = text;
      const now = this.seen(panels.find(panel => panel.as === as));
      if (seen.textContent !== now) seen.textContent = now;
    });
  },

  // What has become of a panel, in words.
  seen(panel) {
    if (panel.state === 'off') return t('not started');
    const missed = known.after(panel).length;
    const missing = missed ? t('{messages} missing here', { messages: count.messages(missed) }) : t('nothing is missing');
    const all = (...parts) => parts.filter(Boolean).join(t('; '));
    if (panel.state === 'ended') return all(t('has stopped'), missing);
    if (panel.state === 'broken') return all(t('broken, tries again'), missing);
    if (panel.state === 'cut') return all(t('cut by you'), missing);
    const [last, sent] = [panel.breaks.at(-1), panel.late && known.sent.get(panel.late.seq)];
    const back = last?.back ? t('back {seconds} s after a break', { seconds: ((last.back - last.at) / 1000).toFixed(1) }) : t('connected');
    const late = sent && !missed ? t('the latest message took {ms} ms', { ms: Math.max(0, Math.round(panel.late.at - sent)) }) : '';
    return all(back, missing, late);
  },
};
