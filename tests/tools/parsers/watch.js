// Says all that EventSources hear. Runs in a page and in node alike; `url`, `count`, `names` and
// `say` come from what is put before it.
for (let n = 0; n < count; n++) {
  const source = new EventSource(url);
  source.onopen = () => say({ n, kind: 'open' });
  source.onerror = () => say({ n, kind: 'error', state: source.readyState });
  for (const name of names)
    source.addEventListener(name, ({ type, lastEventId, data }) =>
      say({ n, kind: type, id: lastEventId, data }));
}
