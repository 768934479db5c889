// What the scripts of the pages share: elements, requests whose failures are told in words, the state of a
// stream, and buttons that copy.

import { isTranslated, t, translated } from './words.js';

/** How long a request may take before the page says why that may be, in ms. */
const SLOW = 2000;

/** Returns a path of this server as the browser reaches it: a proxy may have the server below a path. */
export const at = path => (globalThis.document?.documentElement.dataset.base ?? '') + path;

/** Returns the element with this id. */
export const $ = id => document.getElementById(id);

/** Returns an element with a class and a text, which is never read as HTML. */
export function part(name, kind, text = '') {
  const element = document.createElement(name);
  if (kind) element.className = kind;
  element.textContent = text;
  return element;
}

/** Sends a request, and returns the JSON of its answer. Throws an error with a sentence that says what was
    wrong. After a while without an answer `slow` is called with a sentence that says why that may be. */
export async function request(address, options, slow = () => {}) {
  const waiting = setTimeout(() => slow(t('There is no answer yet. A browser opens six connections to one server, all its windows together: if others hold them all, close one.')), SLOW);
  try {
    const answer = await fetch(address, options).catch(error => {
      if (options.signal?.aborted) throw error;
      throw Object.assign(new Error(t('the server does not answer')), { isLost: true });
    });
    const text = await answer.text();
    let object;
    // A proxy may answer in the server's place, and in words of its own.
    try { object = JSON.parse(text); } catch { object = {}; }
    if (!answer.ok) throw refusal(answer.status, object);
    return object;
  } finally {
    clearTimeout(waiting);
  }
}

/** Returns the error for an answer with this status and this JSON, in the server's own words if it has any. */
export function refusal(status, { error }) {
  const why = typeof error === 'string' ? translated(error) : t('the server answered {status}', { status });
  return Object.assign(new Error(why), { status });
}

/** Makes a form send its message by a request, so that the page stays. `message` returns the address and the
    body; `stream` is the stream that brings what was sent; `sent` is called when something was. What was not sent stays in the field. */
export function sendWith(form, field, problem, message, stream, sent = () => {}) {
  let lost = false;
  form.addEventListener('submit', async e => {
    e.preventDefault();
    const { address, body } = message();
    const text = field.value;
    stream()?.hurry();
    try {
      await request(address, { method: 'POST', body, headers: { Accept: 'application/json' } }, say => { problem.textContent = say; });
      [problem.textContent, lost] = ['', false];
      if (field.value === text) field.value = '';
      sent();
    } catch (error) {
      lost = error.isLost;
      problem.textContent = t('Not sent: {error}.', { error: error.message });
    }
    field.focus();
  });
  // What was said of a server that did not answer is not true any more when it does.
  return { isBack() { if (lost) [problem.textContent, lost] = [t('Not sent before: the server did not answer. It is back, so try again.'), false]; } };
}

/** Shows the state of a stream in an element, and keeps it up to date. The words of forever-frame.js are English: in
    another language they are put down out of sight, and translated from there. */
export function showState(stream, element) {
  if (!isTranslated) return stream.show(element);
  const english = part('p');
  const show = () => {
    element.dataset.state = english.dataset.state;
    const [changing, button] = ['span', 'button'].map(name => english.querySelector(name));
    const words = translated(english.firstChild.textContent);
    if (element.firstChild?.textContent !== words || !element.querySelector('span') !== !changing) {
      const all = english.cloneNode(true);
      all.firstChild.textContent = words;
      if (button) all.querySelector('button').textContent = translated(button.textContent);
      all.querySelector('button')?.addEventListener('click', () => stream.hurry());
      element.replaceChildren(...all.childNodes);
    }
    // It is not announced each second.
    const seconds = translated(changing?.textContent.trim() ?? '');
    if (changing && element.querySelector('span').textContent !== seconds) element.querySelector('span').textContent = seconds;
    if (stream.state === 'closed') clearInterval(often);
  };
  const often = setInterval(show, 1000);
  element.setAttribute('role', 'status');
  stream.show(english);
  stream.addEventListener('state', show);
  return show();
}

/** Copies a text; says whether that worked. A page that came neither by HTTPS nor from this machine may not
    use the clipboard, but may copy what is selected. */
async function copy(element) {
  try {
    await navigator.clipboard.writeText(element.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(element);
    return document.execCommand('copy');
  }
}

/** Gives each command a button that copies it. */
export function addCopyButtons() {
  for (const command of document.querySelectorAll('.commands code, .command code')) {
    const there = command.nextElementSibling;
    const button = there?.matches('.copy') ? there : part('button', 'quiet copy', t('Copy'));
    button.type = 'button';
    button.setAttribute('aria-label', t('Copy {what}', { what: command.textContent }));
    button.addEventListener('click', async () => {
      button.textContent = await copy(command) ? t('Copied') : t('Selected');
      setTimeout(() => { button.textContent = t('Copy'); }, 2000);
    });
    if (button !== there) command.after(button);
  }
}
