// Break it yourself: the switches, what to expect of each, and what is seen.
import { path, set } from './wire-path.js';
import { known } from './wire-log.js';
import { count } from './wire-bytes.js';

const find = css => document.querySelector(css);

// What each switch does to each transport, in the order of the table.
const ORDER = ['html', 'script', 'sse', 'ndjson', 'json', 'text'];
const EXPECTED = {
  hold: ['starves: the message waits for 4 KiB', 'starves', 'starves', 'starves', 'gets it at once: its answer ends, and an end is passed on', 'starves'],
  cut: ['stops: reload it by hand', 'comes back with its cursor', 'comes back with Last-Event-ID: the browser does it', 'comes back, if your code does', 'comes back: it asks again anyway', 'stops: curl exits with 18'],
  refuse: ['an error page, for good', 'comes back: its library tries again', 'stops for good: an EventSource takes only 200', 'comes back, if your code does', 'comes back: it asks again', 'stops: curl has the error'],
  stop: ['nobody notices: buffers take it, and then the cursor waits', 'the same', 'the same', 'the same', 'the same; it asks no more', 'the same'],
  delay: ['each message is 300 ms late', '300 ms late', '300 ms late', '300 ms late', '300 ms late, and deaf for 600 ms while it asks again', '300 ms late'],
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
      const text = any ? EXPECTED[this.chosen][i] : 'all is well again: what was kept comes';
      if (expected.textContent !== text) expected.textContent = text;
      const now = this.seen(panels.find(panel => panel.as === as));
      if (seen.textContent !== now) seen.textContent = now;
    });
  },

  // What has become of a panel, in words.
  seen(panel) {
    if (panel.state === 'off') return 'not started';
    const missed = known.after(panel).length;
    const missing = missed ? `; ${count(missed, 'message')} missing here` : '; nothing is missing';
    if (panel.state === 'ended') return `has stopped${missing}`;
    if (panel.state === 'broken') return `broken, tries again${missing}`;
    if (panel.state === 'cut') return `cut by you${missing}`;
    const [last, sent] = [panel.breaks.at(-1), panel.late && known.sent.get(panel.late.seq)];
    const back = last?.back ? `back ${((last.back - last.at) / 1000).toFixed(1)} s after a break` : 'connected';
    const late = sent && !missed ? `; the latest message took ${Math.max(0, Math.round(panel.late.at - sent))} ms` : '';
    return back + missing + late;
  },
};
