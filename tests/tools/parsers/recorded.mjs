// A recorded answer as a table, with what each part is: recorded.mjs LABELS TERMS TRANSPORT FILE.
import { readFileSync } from 'node:fs';

const [labels, terms, transport, file] = process.argv.slice(-4);
const { Labels, decoded } = await import(labels);
const { explained } = await import(terms);
const escaped = text => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
const signs = text => text.replace(/\r/g, '<i>CR</i>').replace(/\n/g, '<i>LF</i>');

const parts = new Labels(transport).take(readFileSync(file).toString('latin1'));
const said = new Set();
const rows = parts.map(part => {
  const { group, name, text, standard, address } = explained(part);
  const isNew = !said.has(name);
  said.add(name);
  const why = isNew ? `${escaped(text)} <a href="${escaped(address)}">${escaped(standard)}</a>` : '';
  return `<tr><td><code class="part ${group}">${signs(escaped(decoded(part.bytes)))}</code></td><th scope="row">${escaped(name)}</th><td>${why}</td></tr>`;
});
console.log(`<h2 id="recorded">A recorded stream, byte by byte</h2>
<p>Server-Sent Events as the socket was written: two messages, a heartbeat, and the end.</p>
<div class="wire-scroll" role="region" aria-labelledby="recorded" tabindex="0">
<table class="recorded">
<thead><tr><th scope="col">Bytes</th><th scope="col">What</th><th scope="col">Why</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table>
</div>`);
