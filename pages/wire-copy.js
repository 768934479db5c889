// Copy as: the request that a panel sends next, as others send it.
import { CHANNEL } from './wire-panel.js';
import { element } from './wire-bytes.js';
import { known } from './wire-log.js';
import { t } from './words.js';

const find = css => document.querySelector(css);
const quote = text => `'${text}'`;

/** The formats, each made from a request. */
const FORMATS = {
  curl({ url, headers, as }) {
    const lines = Object.entries(headers).map(([name, value]) => ` -H ${quote(`${name}: ${value}`)}`);
    return `curl -N${as === 'json' ? 'i' : ''}${lines.join('')} ${quote(url)}`;
  },
  nc({ target, headers }) {
    const { hostname, port } = location;
    const lines = [`GET ${target} HTTP/1.1`, `Host: ${location.host}`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)];
    if (location.protocol === 'https:') {
      return `(printf ${quote(`${lines.join('\\r\\n')}\\r\\n\\r\\n`)}; cat) | openssl s_client -quiet -connect ${hostname}:${port || 443}`;
    }
    return `(printf ${quote(`${lines.join('\\r\\n')}\\r\\n\\r\\n`)}; cat) | nc ${hostname} ${port || 80}`;
  },
  Python({ url, headers, as }) {
    const request = `request = urllib.request.Request(${JSON.stringify(url)}, headers=${JSON.stringify(headers)})`;
    if (as === 'json') {
      return `import json, urllib.parse, urllib.request
url = ${JSON.stringify(url)}
while True:
    with urllib.request.urlopen(url) as answer:
        poll = json.load(answer)
    for message in poll["messages"]:
        print(message["data"], flush=True)
    url = url.split("since=")[0] + "since=" + poll["cursor"] + "&wait=20s"`;
    }
    const lines = {
      ndjson: `said = json.loads(line)
        if said["type"] == "message":
            print(said["cursor"], said["data"], flush=True)`,
      sse: `name, _, value = line.decode().rstrip("\\n").partition(": ")
        if name in ("id", "data"):
            print(value, flush=True)`,
    }[as] ?? 'print(line.decode(), end="", flush=True)';
    return `${as === 'ndjson' ? 'import json, urllib.request' : 'import urllib.request'}
${request}
with urllib.request.urlopen(request) as stream:
    for line in stream:
        ${lines}`;
  },
  JavaScript({ url, as, since }) {
    const from = `${url.split('?')[0]}?as=${as}&since=${since}`;
    if (as === 'sse') {
      return `const source = new EventSource(${JSON.stringify(from)});
source.onmessage = e => console.log(e.lastEventId, e.data);`;
    }
    if (as === 'html') {
      return `const frame = document.createElement('iframe');
frame.src = ${JSON.stringify(from)};
document.body.append(frame);`;
    }
    if (as === 'script') {
      return `const frame = document.createElement('iframe');
frame.hidden = true;
addEventListener('message', e => {
  if (e.source === frame.contentWindow && e.data.type === 'message') console.log(e.data.cursor, e.data.data);
});
document.body.append(frame);
frame.src = ${JSON.stringify(from)};`;
    }
    if (as === 'json') {
      return `for (let since = ${JSON.stringify(since)}; ;) {
  const answer = await fetch(${JSON.stringify(`${url.split('?')[0]}?as=json&since=`)} + since);
  const { messages, cursor } = await answer.json();
  for (const { data } of messages) console.log(data);
  since = cursor;
}`;
    }
    return `const response = await fetch(${JSON.stringify(from)});
const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
for (let rest = ''; ;) {
  const { value, done } = await reader.read();
  if (done) break;
  const lines = (rest + value).split('\\n');
  rest = lines.pop();
  for (const line of lines) console.log(line);
}`;
  },
};

/** Returns what a panel's next request is made of. */
function requestOf(panel) {
  const { since, query, headers } = panel.next();
  const target = `${CHANNEL}?${query.filter(pair => !pair.startsWith('heartbeat')).join('&')}`;
  return { as: panel.as, since, headers, target, url: location.origin + target };
}

/** Returns a heading with a text that can be copied. */
function block(name, text) {
  const copy = element('button', 'quiet', t('Copy'));
  copy.type = 'button';
  copy.setAttribute('aria-label', t('Copy {what}', { what: name }));
  copy.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = t('Copied');
    } catch {
      // Without permission, or without TLS, it is selected to be copied by hand.
      getSelection().selectAllChildren(code);
      copy.textContent = t('Press Ctrl+C');
    }
  });
  const code = element('pre', '', text);
  code.tabIndex = 0;
  code.setAttribute('role', 'region');
  code.setAttribute('aria-label', name);
  return element('section', '', element('h3', '', name, ' ', copy), code);
}

export const copying = {
  begin(panels) {
    const dialog = find('#copy');
    find('#copy .top button').addEventListener('click', () => dialog.close());
    for (const panel of panels) {
      const button = panel.section.querySelector('.copy-as');
      button.setAttribute('aria-label', t('Copy the request of {name} as …', { name: panel.name }));
      button.addEventListener('click', async () => {
        await known.ready;
        const request = requestOf(panel);
        find('#copy h2').textContent = t('{name}: its next request', { name: panel.name });
        find('#copy .formats').replaceChildren(...Object.entries(FORMATS).map(([name, of]) => block(name, of(request))));
        dialog.showModal();
      });
    }
  },
};
