// What the parts of /chat share: its templates, its words, and how it asks the server.

const RETRY_STEP = 500, RETRY_MOST = 15000;

export const $ = id => document.getElementById(id);

/** The path of the conversation with somebody. */
export const href = name => `/chat/with/${encodeURIComponent(name)}`;

const seq = cursor => Number(cursor.slice(cursor.lastIndexOf('-') + 1));
export const isNewer = (cursor, than) => seq(cursor) > seq(than);

/** To those who hear the page. */
export function say(text) { $('said').textContent = text; }

export function complain(text) { $('problem').textContent = text; }

/** A copy of one of the page's templates with its places filled: as text, never as HTML. */
export function make(template, values) {
  const copy = $(template).content.cloneNode(true);
  for (const other of copy.querySelectorAll('noscript')) other.remove();
  const fill = text => text.replace(/\{\{(\w+)\}\}/g, (_, place) => values[place] ?? '');
  const walker = document.createTreeWalker(copy, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    if (node.nodeType === Node.TEXT_NODE) {
      if (node.data.includes('{{')) node.data = fill(node.data);
      continue;
    }
    for (const { name, value } of [...node.attributes]) {
      // A place of its own among the attributes.
      if (name.startsWith('{{')) node.removeAttribute(name);
      else if (value.includes('{{')) node.setAttribute(name, fill(value));
    }
  }
  return copy;
}

// ---- Requests ----

/** Is this page being left, because its session has ended? */
export let isLeft = false;

/** Goes to another page. Nobody who waits for this goes on here. */
export function leave(path) {
  isLeft = true;
  location.replace(path);
  return new Promise(() => {});
}

/** What the server says; with a form it is told something. Fails with the server's own sentence. */
export async function ask(path, form, signal) {
  const response = await fetch(path, {
    method: form ? 'POST' : 'GET',
    body: form && new URLSearchParams(form),
    headers: { Accept: 'application/json' },
    cache: 'no-store',
    signal,
  });
  if (response.status === 401) return leave('/chat/login');
  if (response.status === 204) return null;
  const said = await response.json().catch(() => ({}));
  if (response.ok) return said;
  const { status } = response;
  throw Object.assign(new Error(said.error ?? `the server answers ${status}`), { status });
}

/** Would the same request be refused again? */
export const isFinal = ({ status }) => status >= 400 && status < 500 && status !== 408 && status !== 429;

const waiting = new Set();

/** Waits before another try: longer each time, but no longer than until there is hope. */
export function pause(tries) {
  const most = Math.min(RETRY_MOST, RETRY_STEP * 2 ** tries);
  return new Promise(resolve => {
    const go = () => { clearTimeout(timer); waiting.delete(go); resolve(); };
    const timer = setTimeout(go, most * (0.5 + Math.random() / 2));
    waiting.add(go);
  });
}

/** There is reason to believe that it would work now. */
export function hurry() {
  for (const go of [...waiting]) go();
}
