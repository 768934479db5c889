// The words that scripts show, in the language of the page. The English is the key. A page in another language brings
// what its scripts need of zh-scripts.toml, before the first of them; a page in English, and Node, has nothing of it.

const words = JSON.parse(globalThis.document?.getElementById('words')?.textContent ?? '{}');
const language = globalThis.document?.documentElement.lang || 'en';

/** The language of dates and times: that of the page as the reader speaks it, such as en-GB. */
export const locale = globalThis.navigator?.languages?.find(tag => tag.split('-')[0] === language.split('-')[0]) ?? language;

/** Whether the page is in another language than the scripts. */
export const isTranslated = Object.keys(words).length > 0;

/** Returns a text in the language of the page, with values in the places that have their names: {n}. */
export const t = (english, values = {}) =>
  (words[english] ?? english).replace(/\{(\w+)\}/g, (place, name) => String(values[name] ?? place));

// The sentences with values that are made elsewhere, those first that have the most text of their own.
const patterns = Object.keys(words).filter(english => english.includes('{}')).sort((a, b) => b.length - a.length)
  .map(english => [english, new RegExp(`^${english.split('{}').map(text => text.replace(/[\\^$.*+?()[\]|]/g, '\\$&')).join('(.*?)')}$`)]);

/** Returns a sentence that the server or forever-frame.js has made, in the language of the page if that is known. Where
    the English has {} a value stands, which is {1} in the translation, or {1:sentence} if it is a sentence, too. */
export function translated(sentence) {
  if (Object.hasOwn(words, sentence)) return words[sentence];
  for (const [english, pattern] of patterns) {
    const values = pattern.exec(sentence);
    if (values) return words[english].replace(/\{(\d)(:sentence)?\}/g, (_, place, isSentence) => (isSentence ? translated(values[place]) : values[place]));
  }
  return sentence;
}
