import ForeverFrame, { ForeverFrame as Named, type Transport } from 'forever-frame';

const stream = new Named('http://localhost:8080/c/news', { since: '-10', transports: ['ndjson', 'json'] });
stream.addEventListener('message', (e) => {
  const text: string = e.data;
  const cursor: string = e.cursor;
  const event: string = e.event;
  console.log(text, cursor, event, e.lastEventId);
});
stream.addEventListener('gap', (e) => { const reason: 'expired' | 'epoch' | 'future' = e.reason; console.log(reason, e.missed); });
stream.addEventListener('live', (e) => { const cursor: string = e.cursor; console.log(cursor); }, { once: true });
stream.addEventListener('closed', { handleEvent(e) { console.log(e.channel); } });
stream.addEventListener('state', function (e) { const by: Transport | null = e.transport; console.log(by, this.description); });
const named = new ForeverFrame(new URL('http://localhost:8080/c/news'), { events: ['added', 'removed'], token: async () => 'secret' });
named.addEventListener('added', (e) => console.log(e.data.length));
const last: string | null = stream.cursor;
globalThis.ForeverFrame === ForeverFrame;
// @ts-expect-error a name that is not among `events`
named.addEventListener('moved', () => {});
// @ts-expect-error a gap has no data
stream.addEventListener('gap', (e) => console.log(e.data));
// @ts-expect-error no such transport
new Named('/c/a', { transports: ['websocket'] });
// @ts-expect-error it cannot be set
stream.cursor = last;
