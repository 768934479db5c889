// Says on standard output what a stream does, a line an event. The process ends by itself with the stream.
import { ForeverFrame } from 'forever-frame';

const [, , url, since, ...events] = process.argv;
const stream = new ForeverFrame(url, { since, events: events.length ? events : null });
const say = e => console.log(JSON.stringify([e.type, e.cursor, e.data ?? e.reason ?? e.channel ?? null]));
for (const type of ['message', 'gap', 'live', 'closed', ...events]) stream.addEventListener(type, say);
