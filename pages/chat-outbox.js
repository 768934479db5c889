// What is to be sent from /chat: one after the other, and again until it is known to have arrived.

import { ask, href, isFinal, pause } from './chat-page.js';
import { messageRow } from './chat-talk.js';

/** A key makes a message one message, however often it is sent. */
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
}

export class Outbox {
  #letters = [];
  #delivering = false;
  #delivered;
  #refused;

  /** `delivered` gets each message that has arrived, `refused` each that never will. */
  constructor(delivered, refused) {
    this.#delivered = delivered;
    this.#refused = refused;
  }

  get length() { return this.#letters.length; }

  /** The rows of what waits to be sent to somebody. */
  rows(to) { return this.#letters.filter(letter => letter.to === to).map(letter => letter.row); }

  /** Sends a message; gives the row that says so until it has arrived. */
  send(from, to, text) {
    const row = messageRow({ cursor: '', time: new Date(), from, text }, 'me');
    row.querySelector('time').textContent = 'sending …';
    this.#letters.push({ from, to, text, row, key: newKey(), isBack: false });
    this.#deliver();
    return row;
  }

  /** A message of mine comes by the stream, perhaps before the answer to its sending. If it is
      another one of the same words, the answer will say so. */
  cameBack({ to, text }) {
    const [letter] = this.#letters;
    if (letter?.to !== to || letter.text !== text || letter.isBack) return;
    letter.isBack = true;
    letter.row.remove();
  }

  /** In their order: the next one leaves when the one before has arrived. */
  async #deliver() {
    if (this.#delivering) return;
    this.#delivering = true;
    for (let tries = 0; this.#letters.length;) {
      const [letter] = this.#letters;
      try {
        const { cursor, time } = await ask(href(letter.to), { msg: letter.text, key: letter.key });
        this.#letters.shift();
        letter.row.remove();
        this.#delivered({ ...letter, cursor, time });
      } catch (error) {
        if (!isFinal(error)) {
          letter.row.classList.add('late');
          letter.row.querySelector('time').textContent = 'not sent, trying again';
          await pause(tries++);
          continue;
        }
        this.#letters.shift();
        letter.row.remove();
        this.#refused(letter, error.message);
      }
      tries = 0;
    }
    this.#delivering = false;
  }
}
