// What was typed into a conversation and not sent: kept for each friend, and over a reload of the tab.

const KEY = 'chat drafts';
/** The most friends for whom a draft is kept: the oldest is forgotten. */
const MOST = 50;

/** The drafts of an account. */
export class Drafts {
  #me;
  #texts = new Map();

  /** Reads the drafts of the account `me`; those of another one are forgotten. */
  constructor(me) {
    this.#me = me;
    try {
      const kept = JSON.parse(sessionStorage.getItem(KEY));
      if (kept?.me === me) this.#texts = new Map(kept.texts);
    } catch { /* no storage */ }
  }

  get(name) { return this.#texts.get(name) ?? ''; }

  set(name, text) {
    this.#texts.delete(name);
    if (text) this.#texts.set(name, text);
    if (this.#texts.size > MOST) this.#texts.delete(this.#texts.keys().next().value);
    try { sessionStorage.setItem(KEY, JSON.stringify({ me: this.#me, texts: [...this.#texts] })); } catch { /* no storage */ }
  }
}
