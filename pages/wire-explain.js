// The explanation of a byte: what its label means, what these bytes are, and the section of the standard.
import { decoded } from './wire-labels.js';
import { explained } from './wire-terms.js';
import { t } from './words.js';

const find = css => document.querySelector(css);
let from = null;

/** What a part is, and of a chunk size also which number that is. */
function meaning({ label, bytes }, text) {
  if (label !== 'chunk-size') return text;
  return t('{text} {bytes} in hexadecimal is {n}.', { text, bytes: bytes.trim(), n: parseInt(bytes, 16).toLocaleString('en') });
}

/** Shows what a part is; `button` is where the focus returns to. */
export function explain(part, button) {
  const { name, text, standard, address } = explained(part);
  const hex = [...part.bytes.slice(0, 24)].map(byte => byte.charCodeAt(0).toString(16).padStart(2, '0')).join(' ');
  document.querySelector('.part[aria-current]')?.removeAttribute('aria-current');
  button.setAttribute('aria-current', 'true');
  from = button;
  find('#explained').hidden = false;
  find('#explained b').textContent = name;
  find('#explained .text').textContent = meaning(part, text);
  find('#explained .hex').textContent = `${part.bytes.length} B: ${hex}${part.bytes.length > 24 ? ' …' : ''}`;
  const link = find('#explained a');
  link.textContent = standard;
  link.href = address;
  find('#explained').dataset.label = part.label;
  find('#explained').dataset.text = decoded(part.bytes);
}

/** Hides the explanation. */
function close() {
  find('#explained').hidden = true;
  from?.focus();
}
find('#explained button').addEventListener('click', close);
document.addEventListener('keydown', event => {
  if (event.key === 'Escape' && !find('#explained').hidden) close();
});
