// What the page knows of the log: the messages of the channel that any panel has seen, so that a panel that
// is cut can show what it is missing.

// The page may stay open all day.
const KNOWN = 500;

/** Splits a cursor into its epoch and its number. */
export function parse(cursor) {
  const at = cursor.lastIndexOf('-');
  return { epoch: cursor.slice(0, at), seq: Number(cursor.slice(at + 1)) };
}

export const known = {
  start: null,
  epoch: '',
  messages: new Map(),
  // When this page sent them, by the browser's clock.
  sent: new Map(),
  forgotten: 0,

  // Sets the position at which all panels begin, whenever they are started.
  begin(cursor) {
    this.start = cursor;
    this.epoch = parse(cursor).epoch;
    this.messages.clear();
    this.sent.clear();
    this.forgotten = 0;
  },
  // Remembers a message, and when this page sent it, if it did.
  add(cursor, data, sent) {
    const { epoch, seq } = parse(cursor);
    if (epoch !== this.epoch) this.begin(`${epoch}-0`);
    if (sent) this.sent.set(seq, sent);
    if (this.messages.has(seq) || (this.forgotten && seq < this.messages.keys().next().value)) return;
    this.messages.set(seq, data.slice(0, 80));
    if (this.messages.size > KNOWN) {
      const oldest = this.messages.keys().next().value;
      this.messages.delete(oldest);
      this.sent.delete(oldest);
      this.forgotten += 1;
    }
  },
  // Returns the texts of the messages that a panel has not seen.
  after(panel) {
    const sorted = [...this.messages].sort(([a], [b]) => a - b);
    if (panel.counts) return sorted.slice(Math.max(0, panel.lines - this.forgotten)).map(([, data]) => data);
    const from = panel.cursor ? parse(panel.cursor) : null;
    if (!from || from.epoch !== this.epoch) return [];
    return sorted.filter(([seq]) => seq > from.seq).map(([, data]) => data);
  },
};
