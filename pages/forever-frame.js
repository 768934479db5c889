/* forever-frame.js: follow a log that the server pushes. MIT licence, no dependencies, no build.

     <script src="/forever-frame.js"></script>
     <ol data-follow="/c/news?since=-10"></ol>             <!-- this is enough: an <li> a message -->

     const stream = new ForeverFrame('/c/news', { since: '-10' });
     stream.addEventListener('message', e => console.log(e.cursor, e.data));
     stream.addEventListener('gap', e => console.log('gap:', e.reason, e.missed));
     stream.show(document.querySelector('#state'));        // "live by SSE, shared by this tab"

   Options:
     since       where to begin: 'all' (the default), 'now', '-10', '10m', a time ('2026-11-27T09:00:00Z'),
                 or a saved cursor
     events      the event names to listen for, as with EventSource: ['added', 'removed'] fire events
                 of those names, messages without a name fire `message`, and all others are skipped.
                 Without this option every message fires `message`, and its `event` gives the name.
     transports  the transports to try, best first: 'sse', 'ndjson', 'script', 'json'. EventSource
                 hears only names that it is told, and is not told the channel: so 'sse' is among the
                 defaults only if `events` is given and the address names one channel.
     token       a function that gives a token, or a promise of one: it is sent as Authorization: Bearer,
                 and asked for again when it has expired. Only 'ndjson' and 'json' can send it, so they are
                 the transports then. (A token in the address, ?key=, needs no such function.)
     shared      true (the default) for one connection for all tabs of this browser, false for one each
     heartbeat   seconds after which a quiet server is to send a sign of life, 1 to 60 (15; for
                 'script' at most 5, since nothing else tells of a hidden iframe that is cut)
     rhythm      seconds after which something is due here at the latest (the heartbeat); when it is late, the
                 state says for how long the stream has been silent
     background  true (the default) to go on while the page is hidden, false to close the connection
                 then, of which a browser has six for all tabs, and to go on from the cursor when it is seen
   In Node (npm install forever-frame) and in workers there is no page: the transports are 'ndjson' and 'json',
   nothing is shared, and the address is a whole one.
   Where an option is not given, the address may say the same: '/c/news?since=now&heartbeat=5s&as=ndjson'.
   Its other parameters are sent with each request. With `until` the stream closes when it has all of
   that part of the log (by a long poll, which does not say so, it goes on to ask).

   Events: message and those of `events` (a MessageEvent: data, lastEventId, origin; also cursor,
   channel, event, time as far as the transport gives them), gap (reason, missed, cursor), live
   (cursor): all that was in the log when the stream was connected has been delivered, and what
   comes now is new; closed (channel, cursor): nothing was appended to the channel after the entry that
   closes it, and all that it has has been delivered. When all channels that the address names are closed
   the stream closes, too. Then: state (state, transport, leader, shared), and open: the server has answered, for
   the first time or again.

   The promise: every message once and in order, in every tab, whatever breaks. All of it rests on
   the cursor. A tab that knows how far it has read can drop what it has seen, can tell that
   something is missing, and can ask the server for that. So it does no harm when a message comes
   twice, by two transports, or through a tab that has just gone. */

globalThis.ForeverFrame = (() => {
  'use strict';

  /** How long a transport may take for its first bytes, in ms, before the next one is tried too. */
  const FIRST_BYTES_TIMEOUT = { unknown: 1500, proven: 5000, last: 10000 };
  const QUIET_HEARTBEATS = 2.5;           // after this much silence a connection is given up
  const HEARTBEAT = 15, SCRIPT_HEARTBEAT = 5;
  const CALLS_LATE = 200;                 // how long the calls of a frame that is over may be on their way
  const POLL_SECONDS = 25;
  const RETRY_STEP = 500, RETRY_MOST = 30000, RETRY_SEEN = 5000;
  const LATE = 2000;                      // what is late by so much is said to be missing
  const LOOK_UP_AGAIN = 5 * 60 * 1000;    // before a better transport is tried again
  const TRUST = 10 * 60 * 1000;           // for this long, what worked before is tried first
  const LEADER_SILENT = 60 * 1000, LEADER_ANSWERS = 3000;
  const HELD_BACK = 1000;                 // messages kept while a tab catches up

  const NAMES = { sse: 'SSE', ndjson: 'NDJSON', script: 'hidden iframe', json: 'long poll' };
  const RESERVED = ['open', 'gap', 'state', 'end', 'heartbeat', 'live', 'closed', 'error'];

  /** Whether this is a page: Node and workers have no document, no tabs and no frames. */
  const IS_PAGE = 'document' in globalThis;
  const isHidden = () => IS_PAGE && document.hidden;

  const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));
  /** Full jitter: clients that were cut off together do not come back together. */
  const backoff = tries => Math.random() * Math.min(isHidden() ? RETRY_MOST : RETRY_SEEN, RETRY_STEP * 2 ** tries);

  /** Returns the seconds in a duration such as '15s', as an address has it, or undefined. */
  const secondsIn = text => {
    const [, number, unit] = /^(\d+)(ms|s|m)$/.exec(text ?? '') ?? [];
    return unit && number * { ms: 0.001, s: 1, m: 60 }[unit];
  };
  const duration = seconds => (Number.isInteger(seconds) ? `${seconds}s` : `${Math.round(seconds * 1000)}ms`);

  /** Returns the error for an answer that is none; it has the time after which the server asks to come back. */
  const refusal = response => Object.assign(new Error(`the server answered ${response.status}`), {
    status: response.status,
    after: 1000 * (Number(response.headers.get('Retry-After')) || 0),
  });

  // ---- Cursors: EPOCH-SEQ. Seqs of different epochs cannot be compared. ----

  const split = cursor => {
    const dash = cursor.lastIndexOf('-');
    return [cursor.slice(0, dash), Number(cursor.slice(dash + 1))];
  };
  const isSameEpoch = (a, b) => a !== null && b !== null && split(a)[0] === split(b)[0];
  /** Whether a cursor is past what has been seen. In another epoch everything is new. */
  const isNewer = (cursor, seen) => !isSameEpoch(cursor, seen) || split(cursor)[1] > split(seen)[1];
  /** Whether messages read from the cursor `from` on continue what has been seen without a hole. */
  const joins = (from, seen) => isSameEpoch(from, seen) && !isNewer(from, seen);

  // ---- Transports: each opens a connection, passes on what the server sends as a list of
  //      {type: open | message | gap | live | closed | heartbeat | end, cursor, …}, reports when it is over
  //      (with an error that may say when to come back), and returns a function that ends it. ----

  const TRANSPORTS = {
    sse({ ask, hear, over, events }) {
      const source = new EventSource(ask({ as: 'sse', heartbeat_event: 1 }));
      const message = e => hear([{ type: 'message', event: e.type, cursor: e.lastEventId, data: e.data }]);
      for (const name of ['message', ...(events ?? [])]) source.addEventListener(name, message);
      for (const type of ['heartbeat', 'live', 'closed', 'gap', 'end']) {
        source.addEventListener(type, e => hear([{ ...JSON.parse(e.data), type }]));
      }
      // The `open` event is not used: it only says that the head is there, and a proxy may let
      // through no more than that. The server says an event at once, also if there is no message.
      // EventSource would reconnect by itself, but with its own idea of when and from where.
      // A message whose sender named it `error` is not an error.
      source.onerror = e => { if (!(e instanceof MessageEvent)) over(); };
      return () => source.close();
    },

    ndjson({ ask, fetch, hear, over }) {
      const stop = new AbortController();
      (async () => {
        const response = await fetch(ask({ as: 'ndjson' }), { signal: stop.signal, cache: 'no-store' });
        if (!response.ok) throw refusal(response);
        const reader = response.body.getReader(), decoder = new TextDecoder();
        // Chunks end anywhere, even within a character; a line ends at its newline.
        for (let rest = ''; ;) {
          const { value, done } = await reader.read();
          if (done) return;
          const lines = (rest + decoder.decode(value, { stream: true })).split('\n');
          rest = lines.pop();
          if (lines.length) hear(lines.map(line => JSON.parse(line)));
        }
      })().then(over, over);
      return () => stop.abort();
    },

    script({ ask, hear, over, origin }) {
      const frame = document.createElement('iframe');
      const foreign = origin === location.origin ? {} : { origin: location.origin };
      const token = `forever-frame ${Math.random()}`;
      let calls = 0, isJudged = false, tokenIsBack;
      const listen = e => {
        if (e.source === window && e.data === token) return tokenIsBack?.();
        if (e.source !== frame.contentWindow || e.origin !== origin) return;
        calls += 1;
        if (calls === 1) watch();
        hear([e.data]);
      };
      // A response is over with the call that says so. Without that call the frame fires `load` after
      // an error page, only DOMContentLoaded in Firefox after a cut, and nothing in Chromium, where
      // nothing but the missing heartbeats tell. These events overtake the calls of the frame, which
      // may be thousands. So a message of this window's own is sent after the calls, and the frame is
      // over when that comes back and no call has come meanwhile. The frame of another site is
      // another process, whose calls that message may overtake, too: so it is sent a little later.
      const judge = async () => {
        if (isJudged) return;
        isJudged = true;
        for (let before = -1; before !== calls;) {
          before = calls;
          if (calls) await sleep(CALLS_LATE);
          await new Promise(isBack => { tokenIsBack = isBack; postMessage(token, '/'); });
        }
        over();
      };
      const watch = () => {
        try { frame.contentWindow.addEventListener('DOMContentLoaded', judge); } catch { /* foreign */ }
      };
      addEventListener('message', listen);
      frame.hidden = true;
      frame.title = 'forever frame';
      frame.referrerPolicy = 'origin'; // a server asks whose page the frame is in
      (document.body ?? document.documentElement).append(frame);
      frame.addEventListener('load', () => {
        try { if (frame.contentWindow.location.href === 'about:blank') return; } catch { /* foreign */ }
        judge();
      });
      frame.src = ask({ as: 'script', ...foreign });
      return () => { removeEventListener('message', listen); frame.remove(); };
    },

    json({ ask, fetch, hear, over, longest }) {
      const stop = new AbortController();
      (async () => {
        // The first poll asks for an answer at once, so that it is soon known to work.
        for (let wait = 0, isLive = false; ; wait = longest) {
          const began = Date.now();
          const answer = await poll(ask, fetch, wait, stop.signal);
          // Each poll says whether it has caught up, where a stream says it once.
          const items = answer.filter(item => item.type !== 'live' || !isLive);
          isLive ||= items.some(item => item.type === 'live');
          hear(items);
          // A server that begins to stop answers early, with no messages; the next poll, which is
          // answered 503 then, is not to follow without a pause.
          if (isQuiet(items) && Date.now() - began < wait * 500) await sleep(1000);
          if (stop.signal.aborted) return;
        }
      })().catch(over);
      return () => stop.abort();
    },
  };

  /** Whether these items have no message and no gap. */
  const isQuiet = items => items.every(({ type }) => ['live', 'closed', 'heartbeat'].includes(type));

  /** Makes one long poll, and returns the list that other transports pass on. */
  async function poll(ask, fetch, wait, signal) {
    const stop = new AbortController();
    const abort = () => stop.abort();
    signal.addEventListener('abort', abort);
    const late = setTimeout(abort, (wait + 10) * 1000);
    try {
      const response = await fetch(ask({ as: 'json', wait: `${wait}s` }), { signal: stop.signal, cache: 'no-store' });
      if (!response.ok) throw refusal(response);
      const { gap, messages, closed, live, cursor } = await response.json();
      const items = messages.map(message => ({ ...message, type: 'message' }));
      if (gap) items.unshift({ ...gap, type: 'gap' });
      for (const channel of closed) items.push({ type: 'closed', channel, cursor });
      if (live) items.push({ type: 'live', cursor });
      return [...items, { type: 'heartbeat', cursor }];
    } finally {
      clearTimeout(late);
      signal.removeEventListener('abort', abort);
    }
  }

  /** Remembers which of these transports worked last in this tab, across a reload if there is storage. */
  class Memory {
    #key;
    constructor(transports) { this.#key = `forever-frame ${transports}`; }
    get name() {
      try {
        const { name, at } = JSON.parse(sessionStorage.getItem(this.#key));
        return Date.now() - at < TRUST ? name : null;
      } catch { return null; }
    }
    set name(name) {
      try { sessionStorage.setItem(this.#key, JSON.stringify({ name, at: Date.now() })); } catch { /* no storage */ }
    }
  }

  // ---- The connection to the server, by the best transport that works. A transport that is slow
  //      to answer is not given up at once: the next one is tried alongside, and the first that
  //      brings anything is kept. Behind a proxy that holds streams back that is the long poll. ----

  class Connection {
    #host; #attempts = new Set(); #current = null; #latest = null; #ladder = [];
    #timer; #quiet; #better; #waiting = false; #tries = 0; #failures = 0;

    /** host: {transports, memory, events, heartbeat, pace and longest (poll, in seconds), origin, ask(), fetch(), renew() → whether there is another token, hear(items) → how many items were new, done(), state()} */
    constructor(host) { this.#host = host; }

    connect(silently = false) {
      this.stop();
      const { transports } = this.#host;
      this.#ladder = transports.slice(Math.max(0, transports.indexOf(this.#host.memory.name)));
      if (!silently) this.#host.state('connecting');
      this.#climbDown();
    }

    stop() {
      for (const timer of [this.#timer, this.#quiet, this.#better]) clearTimeout(timer);
      for (const attempt of this.#attempts) attempt.stop();
      this.#attempts.clear();
      this.#current = null;
      this.#waiting = false;
    }

    /** Tries again at once, since there is reason to believe that it would work now. */
    hurry() {
      if (!this.#waiting) return;
      this.#tries = 0;
      this.connect();
    }

    /** Tries the next transport, alongside those that are still silent. */
    #climbDown() {
      clearTimeout(this.#timer);
      const name = this.#ladder.shift();
      if (name === undefined) return this.#giveUpSilent();
      const { ask, fetch, events, origin, longest } = this.#host;
      const heartbeat = name === 'script' ? Math.min(this.#host.heartbeat, SCRIPT_HEARTBEAT) : this.#host.heartbeat;
      const attempt = { name, heartbeat, began: Date.now(), newItems: 0 };
      const alive = () => this.#attempts.has(attempt);
      this.#attempts.add(this.#latest = attempt);
      attempt.stop = TRANSPORTS[name]({
        events, origin, longest, fetch,
        ask: params => ask({ heartbeat: duration(heartbeat), ...params }),
        hear: items => alive() && this.#hear(attempt, items),
        over: error => alive() && this.#over(attempt, error),
      });
      const kind = name === this.#host.memory.name ? 'proven' : this.#ladder.length ? 'unknown' : 'last';
      this.#timer = setTimeout(() => this.#climbDown(), FIRST_BYTES_TIMEOUT[kind]);
    }

    #drop(attempt) {
      this.#attempts.delete(attempt);
      attempt.stop();
    }

    #giveUpSilent() {
      for (const attempt of this.#attempts) if (attempt !== this.#current) this.#drop(attempt);
      if (this.#current) this.#lookForBetter(); else this.#failed();
    }

    #hear(attempt, items) {
      if (attempt !== this.#current) {
        this.#current = attempt;
        this.#ladder = [];
        this.#giveUpSilent();
        clearTimeout(this.#timer);
        this.#host.memory.name = attempt.name;
        this.#host.state('live', attempt.name);
        if (attempt !== this.#current) return; // a listener has closed the stream
      }
      clearTimeout(this.#quiet);
      // A long poll is silent by nature, and has a timeout of its own.
      if (attempt.name !== 'json') this.#quiet = setTimeout(() => this.#failed(), Math.max(attempt.heartbeat, this.#host.pace) * QUIET_HEARTBEATS * 1000);
      if (Date.now() - attempt.began > 1000) this.#tries = this.#failures = 0;
      attempt.newItems += this.#host.hear(items);
      const end = items.find(item => item.type === 'end');
      // A listener may have closed the stream.
      if (!end || attempt !== this.#current) return;
      this.stop();
      // A server that stops says when another one may have taken over.
      if (end.reason === 'until' || end.reason === 'closed') this.#host.done();
      else if (end.reason === 'stop') this.#wait(end.retry ?? Math.random() * 1000);
      else if (end.reason === 'expired' && this.#host.renew()) this.connect(true);
      else if (attempt.newItems || end.reason === 'rotate') this.connect(true);
      else this.#failed();
    }

    /** Handles a connection that broke, or ended without a reason. */
    #over(attempt, error) {
      this.#drop(attempt);
      if (attempt === this.#current) this.#failed(error);
      else if (this.#current) this.#climbDown();
      // This transport has worked here, so the failure is not its fault.
      else if (attempt.name === this.#host.memory.name && !this.#attempts.size) this.#failed(error);
      else if (attempt === this.#latest) this.#climbDown();
    }

    #failed(error = {}) {
      this.#failures += 1;
      if (this.#failures >= 3) this.#host.memory.name = null;
      const why = error.status ? error.message : 'the server does not answer';
      this.#wait(Math.max(error.after ?? 0, backoff(this.#tries++)), why);
    }

    #wait(ms, why = 'the server is stopping') {
      this.stop();
      this.#waiting = true;
      this.#timer = setTimeout(() => this.connect(), ms);
      this.#host.state('waiting', null, { why, until: Date.now() + ms });
    }

    /** Tries the better transports again after a while, alongside the one that works. */
    #lookForBetter() {
      clearTimeout(this.#better);
      const { transports } = this.#host;
      const better = transports.slice(0, transports.indexOf(this.#current.name));
      if (!better.length) return;
      this.#better = setTimeout(() => { this.#ladder = better; this.#climbDown(); }, LOOK_UP_AGAIN);
    }
  }

  // ---- The stream of a tab. Where tabs share, the one that holds a lock is the leader: it has the
  //      connection, and passes what it hears to the others over a BroadcastChannel, each time with
  //      the cursors before and after. A tab that has a hole then (it came later, or it slept) asks
  //      the server for what is missing. ----

  /** Returns who a server would have to let in, as its operator names it. */
  const origin = () => (location.origin === 'null' ? 'files (start it with --cors-origin \'*\')' : `${location.origin} (start it with --cors-origin ${location.origin})`);

  class ForeverFrame extends EventTarget {
    #url; #since; #events; #names; #channelName; #closed = new Set(); #key; #host; #listening = new AbortController();
    #cursor = null; #state = 'connecting'; #transport = null; #shared;
    #leading = false; #connection = null; #session = null; #queue = null; #channel = null;
    #reached = null; #saidLive = false; #token; #secret = null; #catching = null; #held = []; #leaderState = null; #silence; #doubt; #shown = new Set();
    #heard = 0; #rhythm; #pause = null; #isForeign; #isRefused = false; #everHeard = false; #ticking; #background;

    constructor(url, { since, events = null, transports, token = null, shared = true, heartbeat, rhythm, background = true } = {}) {
      super();
      const bad = events?.find(name => RESERVED.includes(name));
      if (bad) throw new TypeError(`the event name ${bad} is reserved by ForeverFrame`);
      this.#url = new URL(url, IS_PAGE ? document.baseURI : globalThis.location?.href);
      const address = this.#url.searchParams;
      this.#token = token;
      this.#rhythm = rhythm;
      this.#background = background;
      this.#isForeign = IS_PAGE && this.#url.origin !== location.origin;
      this.#events = events?.filter(name => name !== 'message') ?? null;
      this.#since = String(since ?? (address.get('lastEventId') || address.get('since') || 'all'));
      // They only say where to begin. Later the cursor does, and `lastEventId` would win over it.
      for (const name of ['lastEventId', 'since']) address.delete(name);
      // A cursor tells what has been seen; any other value of `since` only says where to begin.
      if (/^[^-]+-\d+$/.test(this.#since)) this.#cursor = this.#since;
      this.#names = decodeURIComponent(this.#url.pathname.split('/').pop()).split(',');
      this.#channelName = this.#names.length === 1 ? this.#names[0] : null;
      const usual = this.#events && this.#channelName ? ['sse', 'ndjson', 'script', 'json'] : ['ndjson', 'script', 'json'];
      const named = Object.hasOwn(TRANSPORTS, address.get('as')) ? [address.get('as')] : usual;
      // Both are missing if the page came neither over https nor from localhost; then each tab has its own connection.
      this.#shared = shared && IS_PAGE && Boolean(navigator.locks) && 'BroadcastChannel' in globalThis;
      this.#key = `forever-frame ${this.#url} ${this.#events ? [...this.#events].sort() : '*'}`;
      const possible = (transports ?? named).filter(name => (name !== 'sse' || 'EventSource' in globalThis)
        && (name !== 'script' || IS_PAGE) && (!token || name === 'ndjson' || name === 'json'));
      this.#host = {
        transports: possible,
        memory: new Memory(possible),
        events: this.#events,
        origin: this.#url.origin,
        heartbeat: heartbeat ?? secondsIn(address.get('heartbeat')) ?? HEARTBEAT,
        pace: secondsIn(address.get('pace')) ?? 0,
        longest: secondsIn(address.get('wait')) ?? POLL_SECONDS,
        ask: params => this.#ask(params),
        fetch: (url, options) => this.#fetch(url, options),
        renew: () => this.#renew(),
        hear: items => this.#take(items),
        done: () => this.close(),
        state: (state, transport = null, pause = null) => this.#setState(state, transport, pause),
      };
      if (IS_PAGE) this.#listenToPage();
      if (background || !isHidden()) this.#join(); else this.#setState('paused');
    }

    #listenToPage() {
      const on = (target, name, act) => target.addEventListener(name, act, { signal: this.#listening.signal });
      on(window, 'online', () => this.#check());
      on(document, 'visibilitychange', () => this.#look());
      // A page with open connections cannot be kept in the back/forward cache.
      on(window, 'pagehide', () => this.#leave());
      on(window, 'pageshow', e => { if (e.persisted && !this.#session) this.#join(); });
      this.#ticking = setInterval(() => this.#tick(), 1000);
    }

    /** The cursor up to which everything has been delivered; null before anything has been heard. */
    get cursor() { return this.#cursor; }
    /** The state: connecting, live, waiting (to try again), paused (while the page is hidden), or closed. */
    get state() { return this.#state; }
    /** The transport that is in use, or null. */
    get transport() { return this.#transport; }
    /** Whether this tab has the connection. */
    get leader() { return this.#leading; }
    /** Whether the tabs of this browser share one connection. */
    get shared() { return this.#shared; }

    /** For how many seconds nothing has come that was due; 0 if all is well. */
    get silentFor() {
      // A long poll is silent by nature.
      if (this.#state !== 'live' || this.#transport === 'json') return 0;
      const due = 1000 * Math.max(this.#rhythm ?? this.#host.heartbeat, this.#host.pace) + LATE;
      const silent = Date.now() - this.#heard;
      return silent > due ? Math.floor(silent / 1000) : 0;
    }

    /** The state in words. */
    get description() { return this.#words.join(''); }

    /** The state in words: what it is, and what of that changes each second. */
    get #words() {
      if (this.#state === 'live') {
        const by = `live by ${NAMES[this.#transport]}`;
        const all = !this.#shared ? by : this.#leading ? `${by}, shared by this tab` : `${by}, shared by another tab`;
        const silent = this.silentFor;
        return silent ? [`${all}, but silent`, ` for ${silent} s`] : [all];
      }
      if (this.#state === 'waiting') {
        if (this.#isRefused) return [`refused: the server does not let in pages of ${origin()}`];
        const { why, until } = this.#pause ?? { why: 'the server does not answer', until: 0 };
        const seconds = Math.ceil((until - Date.now()) / 1000);
        return [`not connected (${why}); trying again`, seconds > 0 ? ` in ${seconds} s` : ' now'];
      }
      if (this.#state === 'connecting' && this.#everHeard) return ['not connected, connecting again …'];
      return [{ connecting: 'connecting …', paused: 'paused while this page is hidden', closed: 'closed' }[this.#state]];
    }

    /** Shows the state in words in this element, with a button to try again now, and keeps it up to date. */
    show(element) {
      if (!element) return;
      element.setAttribute('role', 'status');
      this.#shown.add(element);
      this.#showIn(element);
    }

    /** What kind of state an element shows. */
    get #kind() {
      if (this.#state === 'waiting' && this.#isRefused) return 'refused';
      if (this.#state === 'connecting' && this.#everHeard) return 'waiting';
      return this.silentFor ? 'silent' : this.#state;
    }

    #showIn(element) {
      const [words, changing = ''] = this.#words;
      element.dataset.state = this.#kind;
      if (element.firstChild?.textContent !== words || !element.querySelector('span') !== !changing) {
        // What changes each second is not announced each second.
        const span = document.createElement('span'), button = document.createElement('button');
        span.ariaHidden = 'true';
        [button.type, button.textContent] = ['button', 'Try now'];
        button.addEventListener('click', () => this.hurry());
        element.replaceChildren(words, ...(changing ? [span, ' '] : []), ...(this.#state === 'waiting' ? [button] : []));
      }
      const span = element.querySelector('span');
      if (span && span.textContent !== changing) span.textContent = changing;
    }

    #tick() {
      if (document.hidden) return;
      for (const element of this.#shown) this.#showIn(element);
    }

    /** Tries again now, if the stream waits to do so. */
    hurry() { if (this.#session) this.#check(); }

    /** Closes the connection while nobody looks, if the page wants that. */
    #look() {
      if (!document.hidden) {
        if (this.#session) this.#check(); else this.#join();
      } else if (!this.#background && this.#session) {
        this.#leave();
        this.#setState('paused');
      }
    }

    /** Finds out whether the server is there, and only does not let this page read what it says. */
    async #askWhetherRefused() {
      try {
        await fetch(new URL('/healthz', this.#url), { mode: 'no-cors', cache: 'no-store' });
        if (this.#everHeard || this.#isRefused) return;
        this.#isRefused = true;
        const origin = location.origin === 'null' ? "'*'" : location.origin;
        console.warn(`${this.#url.origin} does not let pages of this origin read it. Start it with: forever-frame --cors-origin ${origin}`);
        this.#tick();
      } catch { /* it cannot be reached */ }
    }

    /** Ends the stream for this tab. To go on later, create a new one with `since: stream.cursor`. */
    close() {
      this.#listening.abort();
      clearInterval(this.#ticking);
      this.#leave();
      this.#setState('closed');
    }

    #ask(params) {
      const url = new URL(this.#url);
      for (const [name, value] of Object.entries({ ...params, since: this.#cursor ?? this.#since })) url.searchParams.set(name, value);
      return url.href;
    }

    /** Fetches with the token, if there is one, and once more with a new one if that one is of no use. */
    async #fetch(url, options) {
      if (!this.#token) return fetch(url, options);
      const send = async () => {
        const secret = this.#secret ??= Promise.resolve(this.#token());
        // What cannot be had now may be had the next time.
        secret.catch(() => { if (this.#secret === secret) this.#secret = null; });
        return fetch(url, { ...options, headers: { Authorization: `Bearer ${await secret}` } });
      };
      const response = await send();
      if (response.status !== 401) return response;
      this.#renew();
      return send();
    }

    /** Forgets the token, and returns whether there is another. */
    #renew() {
      this.#secret = null;
      return this.#token !== null;
    }

    // -- Leadership --

    #join() {
      this.#session = new AbortController();
      if (!this.#shared) return this.#lead();
      this.#channel = new BroadcastChannel(this.#key);
      this.#channel.onmessage = e => this.#hearTab(e.data);
      this.#elect({ ifAvailable: true });
    }

    #elect(how) {
      const { signal } = this.#session;
      navigator.locks.request(this.#key, how, lock => {
        if (signal.aborted) return undefined;
        if (!lock) return this.#followLeader();
        this.#lead();
        // The lock is held until this tab leaves or is closed, or another one steals it.
        return new Promise(resolve => signal.addEventListener('abort', resolve));
      }).catch(error => {
        if (signal.aborted || how.signal?.aborted) return;
        if (error.name === 'AbortError') return this.#followLeader();
        this.#shared = false; // the page is not allowed to use locks
        this.#lead();
      });
    }

    #lead() {
      this.#catching?.abort();
      this.#catching = null;
      for (const timer of [this.#silence, this.#doubt]) clearTimeout(timer);
      this.#leading = true;
      this.#connection = new Connection(this.#host);
      this.#connection.connect();
    }

    #followLeader() {
      this.#connection?.stop();
      this.#leading = false;
      this.#leaderState = null;
      this.#queue = new AbortController();
      this.#elect({ signal: this.#queue.signal });
      this.#channel.postMessage({ hello: true });
      this.#listenForLeader();
      this.#catchUp();
    }

    #leave() {
      this.#connection?.stop();
      for (const timer of [this.#silence, this.#doubt]) clearTimeout(timer);
      for (const part of [this.#catching, this.#queue, this.#session]) part?.abort();
      this.#channel?.close();
      this.#channel = this.#session = this.#queue = this.#catching = null;
      this.#leading = false;
      this.#held = [];
    }

    /** Checks the connection at a good moment: the network is back, or the tab is visible again. */
    #check() {
      if (this.#leading) return this.#connection.hurry();
      if (!this.#channel || !this.#queue) return;
      this.#channel.postMessage({ hello: true });
      clearTimeout(this.#doubt);
      // A leader that is asleep holds its lock and does nothing.
      this.#doubt = setTimeout(() => {
        if (document.hidden) return;
        this.#queue.abort();
        this.#elect({ steal: true });
      }, LEADER_ANSWERS);
    }

    #listenForLeader() {
      for (const timer of [this.#silence, this.#doubt]) clearTimeout(timer);
      this.#silence = setTimeout(() => this.#check(), LEADER_SILENT);
    }

    #hearTab({ hello, state, transport, pause, batch }) {
      if (hello) {
        if (!this.#leading) return;
        this.#connection.hurry();
        // A timer, since a tab that is frozen still hears, but its timers and connections stand still.
        setTimeout(() => { if (this.#leading) this.#tellState(); });
        return;
      }
      if (!this.#leading) this.#listenForLeader();
      if (state && !this.#leading) {
        this.#leaderState = { state, transport, pause };
        if (state === 'live') this.#host.memory.name = transport;
        this.#showLeaderState();
      }
      if (batch) this.#takeBatch(batch);
    }

    // -- Receiving --

    /** Delivers the items that are new, and returns how many there were. */
    #take(received) {
      this.#hears();
      const items = [], from = this.#cursor;
      let at = from;
      for (const item of received) {
        // The cursor at which a stream opens has not been seen: a gap may come first.
        if (item.type === 'open') continue;
        // It says where the past ends, and a tab may have read on from there.
        if (item.type === 'live') {
          if (isNewer(item.cursor, at)) at = item.cursor;
          items.push({ type: 'live', cursor: at });
          continue;
        }
        // Its cursor may be that of the message before it, but it is not older than what was delivered.
        if (item.type === 'closed') {
          if (isSameEpoch(at, item.cursor) && isNewer(at, item.cursor)) continue;
          at = item.cursor;
          items.push(item);
          continue;
        }
        const seen = item.reason === 'future' ? item.cursor === at : !isNewer(item.cursor, at);
        if (seen) continue;
        at = item.cursor;
        if (item.type === 'gap' || (item.type === 'message' && this.#wants(item.event))) items.push(item);
      }
      // The other tabs come first, since the listeners of this one may take their time.
      if (this.#leading) this.#channel?.postMessage({ batch: { from, to: at, items } });
      const session = this.#session;
      for (const item of items) {
        this.#cursor = item.cursor;
        this.#fire(item);
        // A listener has closed the stream: the rest stays unseen, so that a new one can go on from here.
        if (session !== this.#session) break;
      }
      if (session === this.#session) {
        this.#cursor = at;
        // A pattern is no name of a closed channel.
        if (this.#names.every(name => this.#closed.has(name))) this.close();
      }
      return items.filter(({ type }) => type !== 'live' && type !== 'closed').length;
    }

    #hears() {
      this.#heard = Date.now();
      if (!this.#everHeard) [this.#everHeard, this.#isRefused] = [true, false];
    }

    #wants(name) { return !this.#events || name === 'message' || this.#events.includes(name); }

    /** Says that all of the past has been delivered, once for each time that the stream becomes live. */
    #sayLive(cursor) {
      this.#reached = cursor;
      if (this.#state !== 'live' || this.#saidLive) return;
      this.#saidLive = true;
      this.dispatchEvent(Object.assign(new Event('live'), { cursor }));
    }

    #fire({ type, cursor, channel = this.#channelName, event, time, data, reason, missed }) {
      if (type === 'live') return this.#sayLive(cursor);
      if (type === 'closed') {
        if (this.#closed.has(channel)) return;
        this.#closed.add(channel);
        this.dispatchEvent(Object.assign(new Event('closed'), { channel, cursor }));
        return;
      }
      if (type === 'gap') {
        this.dispatchEvent(Object.assign(new Event('gap'), { reason, missed, cursor }));
        return;
      }
      this.#closed.delete(channel);
      const name = this.#events ? event : 'message';
      const message = new MessageEvent(name, { data, origin: this.#url.origin, lastEventId: cursor });
      this.dispatchEvent(Object.assign(message, { cursor, channel, event, time }));
    }

    /** Takes a batch from the leader: what it has heard between two cursors. */
    #takeBatch(batch) {
      this.#hears();
      if (this.#catching) {
        this.#held.push(batch);
        if (this.#held.length > HELD_BACK) this.#held.shift();
      } else if (joins(batch.from, this.#cursor)) {
        this.#take([...batch.items, { type: 'heartbeat', cursor: batch.to }]);
      } else if (!this.#leading && batch.to !== null && isNewer(batch.to, this.#cursor)) {
        this.#held.push(batch);
        this.#catchUp();
      }
    }

    /** Asks the server until the leader's batches join on, then goes on with those. */
    async #catchUp() {
      this.#catching?.abort();
      const { signal } = this.#catching = new AbortController();
      this.#showLeaderState();
      for (let tries = 0; ;) {
        try {
          const items = await poll(this.#host.ask, this.#host.fetch, 0, signal);
          if (signal.aborted) return;
          tries = 0;
          const before = this.#cursor;
          this.#take(items);
          if (signal.aborted) return;
          if (before === this.#cursor || isQuiet(items) || this.#held.some(({ from }) => joins(from, this.#cursor))) break;
        } catch {
          if (signal.aborted) return;
          this.#setState('waiting');
          await sleep(backoff(tries++));
          if (signal.aborted) return;
        }
      }
      this.#catching = null;
      // Batches of a leader that is in another epoch than the server are stale.
      for (const batch of this.#held.splice(0)) if (isSameEpoch(batch.to, this.#cursor)) this.#takeBatch(batch);
      this.#showLeaderState();
    }

    // -- The state --

    #showLeaderState() {
      if (this.#leading || !this.#session) return;
      const { state = 'connecting', transport, pause } = this.#leaderState ?? {};
      // Catching up is shown only at the beginning; later it is over in a moment.
      if (!this.#catching || state !== 'live') this.#setState(state, transport, pause);
      else if (this.#state !== 'live') this.#setState('connecting');
    }

    #tellState() { this.#channel?.postMessage({ state: this.#state, transport: this.#transport, pause: this.#pause }); }

    #setState(state, transport = null, pause = null) {
      const before = this.description, was = this.#state;
      [this.#state, this.#transport, this.#pause] = [state, transport, pause];
      if (state === 'live' && was !== 'live') this.#hears();
      if (state === 'waiting' && this.#isForeign && !this.#everHeard) this.#askWhetherRefused();
      // Where the connection is lost, what comes meanwhile will be the past.
      if (was === 'live' && state !== 'live') [this.#reached, this.#saidLive] = [null, false];
      if (this.#leading) this.#tellState();
      if (before === this.description) return;
      for (const element of this.#shown) this.#showIn(element);
      if (state === 'live' && was !== 'live') this.dispatchEvent(new Event('open'));
      const { leader, shared } = this;
      this.dispatchEvent(Object.assign(new Event('state'), { state, transport, leader, shared, cursor: this.#cursor }));
      // A tab that catches up by itself may have done so before it knew that another one has a connection.
      if (state === 'live' && this.#reached !== null) this.#sayLive(this.#reached);
    }
  }

  // ---- <ol data-follow="/c/news"></ol>: a list that follows a channel by itself. The address is one of
  //      the server that this script came from. ----

  const FOLLOWED = 200;                   // the messages that such a list keeps
  const home = IS_PAGE ? document.currentScript?.src ?? document.baseURI : null;

  function follow(list) {
    const stream = new ForeverFrame(new URL(list.dataset.follow, home));
    const add = (text, name) => {
      const row = document.createElement('li');
      if (name) row.className = name;
      row.textContent = text;
      list.append(row);
      while (list.children.length > FOLLOWED) list.firstElementChild.remove();
    };
    stream.addEventListener('message', e => add(e.data));
    stream.addEventListener('gap', e => add(`Messages are missing (${e.reason}).`, 'gap'));
    const state = document.createElement('p');
    list.after(state);
    stream.show(state);
  }
  const followAll = () => { for (const list of document.querySelectorAll('[data-follow]')) follow(list); };
  if (!IS_PAGE) return ForeverFrame;
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', followAll);
  else followAll();

  return ForeverFrame;
})();
