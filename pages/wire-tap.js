// The tap: what the server has written to the sockets of this page's streams, as the server tells it. The page
// fetches it several times a second: a stream would take one of the six connections.
import { fromBase64 } from './wire-labels.js';
import { at, refusal } from './page.js';

const OFTEN = 200;

export const tap = {
  // The ID that the streams are asked for with, while somebody looks at the socket.
  id: null,
  timer: null,
  // What of the browser's clock is 0 on the tap's, by the fastest exchange so far.
  zero: 0,
  fastest: Infinity,
  // Which panel a stream is of.
  streams: new Map(),

  /** Opens a tap. `host` takes what is told: {request(as, head, at) → a stream, write(stream, bytes, at),
      end(stream, isOver, at), lost(bytes), closed()} with times of the browser's clock. */
  async open(host) {
    this.host = host;
    const response = await fetch(at('/wire/tap'), { method: 'POST', headers: { Accept: 'application/json' } });
    const answer = await response.json();
    if (!response.ok) throw refusal(response.status, answer);
    this.id = answer.id;
    this.fastest = Infinity;
    this.streams.clear();
    this.look(answer.id);
  },

  /** The server does not know a tap: nobody has fetched for too long. */
  unknown(id) {
    if (this.id !== id) return;
    this.close();
    this.host.closed();
  },

  /** Looks no more. The server forgets the tap. */
  close() {
    clearTimeout(this.timer);
    this.id = null;
  },

  async look(id) {
    try {
      await this.fetch(id);
    } catch { /* the panels say that the server is gone */ }
    if (this.id === id) this.timer = setTimeout(() => this.look(id), OFTEN);
  },

  async fetch(id) {
    const began = performance.now();
    const response = await fetch(at(`/wire/tap/${id}`), { cache: 'no-store', headers: { Accept: 'application/json' } });
    if (this.id !== id) return;
    if (response.status === 404) {
      this.unknown(id);
      return;
    }
    const report = await response.json();
    const took = performance.now() - began;
    if (took < this.fastest) {
      this.fastest = took;
      this.zero = began + took / 2 - report.us / 1000;
    }
    for (const record of report.records) this.take(record);
    if (report.lost) this.host.lost(report.lost);
  },

  take({ stream, us, type, head, bytes, over }) {
    const at = this.zero + us / 1000;
    if (type === 'request') {
      const as = /[?&]as=(\w+)/.exec(head[0])?.[1];
      this.streams.set(stream, this.host.request(as, head, at));
    } else if (type === 'write') this.host.write(this.streams.get(stream), fromBase64(bytes), at);
    else {
      this.host.end(this.streams.get(stream), over, at);
      this.streams.delete(stream);
    }
  },
};
