// The messages that /chat is to send: one after the other, each repeated until the server confirms it.

import { ask, href, isFinal, pause } from './chat-page.js';
import { messageRow } from './chat-talk.js';
import { t } from './words.js';

/** Returns a new idempotency key, which makes a message one message however often it is sent. */
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
}

/** The queue of the messages that wait to be sent. */
export class Outbox {
  #messages = [];
  #delivering = false;
  #delivered;
  #refused;

  /** Calls `delivered` with each message that the server took, and `refused` with each that it refused for good. */
  constructor(delivered, refused) {
    this.#delivered = delivered;
    this.#refused = refused;
  }

  /** The number of messages that wait. */
  get length() { return this.#messages.length; }

  /** Returns the rows of the messages that wait to be sent to the friend `to`. */
  rows(to) { return this.#messages.filter(message => message.to === to).map(message => message.row); }

  /** Sends a message, and returns the row that stands for it until it has arrived. */
  send(from, to, text) {
    const row = messageRow({ cursor: '', time: new Date(), from, text }, 'me');
    row.querySelector('time').textContent = t('sending …');
    this.#messages.push({ from, to, text, row, key: newKey(), isStreamed: false });
    this.#deliver();
    return row;
  }

  /** Removes the row of the first waiting message if the stream brings that message before the answer
      to its request does. If the stream's message is another one with the same text, the answer puts
      that right. */
  onStreamed({ to, text }) {
    const [message] = this.#messages;
    if (message?.to !== to || message.text !== text || message.isStreamed) return;
    message.isStreamed = true;
    message.row.remove();
  }

  /** Sends the waiting messages in order: each one leaves when the one before it has arrived. */
  async #deliver() {
    if (this.#delivering) return;
    this.#delivering = true;
    for (let tries = 0; this.#messages.length;) {
      const [message] = this.#messages;
      try {
        const { cursor, time } = await ask(href(message.to), { msg: message.text, key: message.key });
        this.#messages.shift();
        message.row.remove();
        this.#delivered({ ...message, cursor, time });
      } catch (error) {
        if (!isFinal(error)) {
          message.row.classList.add('late');
          message.row.querySelector('time').textContent = t('not sent, trying again');
          await pause(tries++);
          continue;
        }
        this.#messages.shift();
        message.row.remove();
        this.#refused(message, error.message);
      }
      tries = 0;
    }
    this.#delivering = false;
  }
}
