// The parts of an answer by the labels of /wire: labels.mjs SCRIPT TRANSPORT FILE, where FILE has the bytes. They
// are taken piece by piece, so that pieces end anywhere.
import { readFileSync } from 'node:fs';

const [script, transport, file] = process.argv.slice(-3);
const { Labels } = await import(script);
const labels = new Labels(transport);
const bytes = readFileSync(file).toString('latin1');
const parts = [];
for (let at = 0, step = 1; at < bytes.length; at += step, step = (step * 7) % 1009 + 1) {
  for (const part of labels.take(bytes.slice(at, at + step))) {
    const last = parts.at(-1);
    // A part that goes on in the next piece is one.
    if (last && part.continues) Object.assign(last, { label: part.label, name: part.name, bytes: last.bytes + part.bytes });
    else parts.push({ label: part.label, name: part.name, bytes: part.bytes });
  }
}
console.log(JSON.stringify(parts));
