// The messages that /chat is to send: one after the other, each repeated until the server confirms it.

import { ask, href, isFinal, pause } from './chat-page.js';
import { messageRow } from './chat-talk.js';

/** Returns a new idempotency key, which makes a message one message however often it is sent. */
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
}

/** The queue of the messages that wait to be sent. */
export class Outbox {
  #letters = [];
  #delivering = false;
  #delivered;
  #refused;

  /** Calls `delivered` with each message that the server took, and `refused` with each that it refused for good. */
  constructor(delivered, refused) {
    this.#delivered = delivered;
    this.#refused = refused;
  }

  /** The number of messages that wait. */
  get length() { return this.#letters.length; }

  /** Returns the rows of the messages that wait to be sent to the friend `to`. */
  rows(to) { return this.#letters.filter(letter => letter.to === to).map(letter => letter.row); }

  /** Sends a message, and returns the row that stands for it until it has arrived. */
  send(from, to, text) {
    const row = messageRow({ cursor: '', time: new Date(), from, text }, 'me');
    row.querySelector('time').textContent = 'sending …';
    this.#letters.push({ from, to, text, row, key: newKey(), isBack: false });
    this.#deliver();
    return row;
  }

  /** Removes the row of the first waiting message if the stream brings that message before the answer
      to its request does. If the stream's message is another one with the same text, the answer puts
      that right. */
  cameBack({ to, text }) {
    const [letter] = this.#letters;
    if (letter?.to !== to || letter.text !== text || letter.isBack) return;
    letter.isBack = true;
    letter.row.remove();
  }

  /** Sends the waiting messages in order: each one leaves when the one before it has arrived. */
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
