// Follows a stream in a page by the clients that other people wrote for it. `files` has the files of
// their packages, by path; `url` and `names` come from what is put before this, too.
const said = window.said = { polyfill: [], fetch: [] };

/** Loads a CommonJS module of a package. */
const load = path => {
  const module = { exports: {} };
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  const required = name => load(folder + name.replace(/^\.\//, '') + '.js');
  new Function('module', 'exports', 'require', files[path])(module, module.exports, required);
  return module.exports;
};

const { EventSourcePolyfill } = load('event-source-polyfill/src/eventsource.js');
const source = new EventSourcePolyfill(url);
for (const name of names) {
  source.addEventListener(name, ({ type, lastEventId, data }) => said.polyfill.push([lastEventId, type, data]));
}

const { fetchEventSource } = load('@microsoft/fetch-event-source/lib/cjs/index.js');
fetchEventSource(url, {
  openWhenHidden: true,
  onmessage: ({ id, event, data }) => said.fetch.push([id, event || 'message', data]),
  // It comes back after an error only, not when the server has ended the stream in order.
  onclose() { throw new Error('the stream has ended'); },
  onerror() {},
});
