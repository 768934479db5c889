import { EventSource } from 'eventsource';
const [, url, count, ...names] = process.argv;
const say = said => console.log(JSON.stringify(said));
