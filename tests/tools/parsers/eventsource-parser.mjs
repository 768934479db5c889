import { createParser } from 'eventsource-parser';
const parser = createParser({
  onEvent: ({ id, event, data }) => console.log(JSON.stringify([id, event ?? 'message', data])),
  onError: error => { throw error; },
});
const decoder = new TextDecoder();
for await (const chunk of (await fetch(process.argv[1])).body)
  parser.feed(decoder.decode(chunk, { stream: true }));
