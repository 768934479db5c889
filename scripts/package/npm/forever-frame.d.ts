/** The events of a stream whose messages keep their own names in `events`. */
export interface ForeverFrameEventMap {
  /** A message without a name; of any name if the option `events` is not given. */
  message: FollowedMessage;
  /** Messages are missing, and the stream goes on after them. */
  gap: GapEvent;
  /** All that was in the log when the stream was connected has been delivered. */
  live: LiveEvent;
  /** A channel is closed, and all that it has has been delivered. */
  closed: ClosedEvent;
  /** The server has answered, for the first time or again. */
  open: Event;
  /** The state of the connection has changed. */
  state: StateEvent;
}

/** How a stream comes: Server-Sent Events, NDJSON by `fetch`, a hidden iframe, long polls. */
export type Transport = 'sse' | 'ndjson' | 'script' | 'json';

/** `waiting` is the time until it is tried again, `paused` the time in which the page is hidden. */
export type State = 'connecting' | 'live' | 'waiting' | 'paused' | 'closed';

export interface FollowedMessage extends MessageEvent {
  readonly data: string;
  /** The cursor: everything up to and including this message has been seen. */
  readonly cursor: string;
  /** The channel; with `sse` only where the address names one channel. */
  readonly channel?: string | null;
  /** The name of the event, `message` if it has none. */
  readonly event: string;
  /** When the server took the message (RFC 3339); not with `sse`. */
  readonly time?: string;
}

export interface GapEvent extends Event {
  /** Too old; of another log; past the end of this one. */
  readonly reason: 'expired' | 'epoch' | 'future';
  /** How many messages are missing, if that is known. */
  readonly missed?: number | null;
  /** The cursor from which the stream goes on. */
  readonly cursor: string;
}

export interface LiveEvent extends Event {
  readonly cursor: string;
}

export interface ClosedEvent extends Event {
  readonly channel: string | null;
  readonly cursor: string;
}

export interface StateEvent extends Event {
  readonly state: State;
  readonly transport: Transport | null;
  /** Whether this tab has the connection. */
  readonly leader: boolean;
  /** Whether the tabs of this browser share one connection. */
  readonly shared: boolean;
  readonly cursor: string | null;
}

export interface ForeverFrameOptions<Name extends string = never> {
  /** Where to begin: `all` (the default), `now`, `-10`, `10m`, a time, or a saved cursor. */
  since?: string | number;
  /** The names of messages to listen for, each of which fires an event of its name; all others are skipped. */
  events?: readonly Name[] | null;
  /** The transports to try, best first. */
  transports?: readonly Transport[];
  /** Gives the token that is sent as `Authorization: Bearer`; it is asked again when that has expired. */
  token?: (() => string | Promise<string>) | null;
  /** Whether all tabs of the browser share one connection (the default). */
  shared?: boolean;
  /** Seconds after which a quiet server sends a sign of life, 1 to 60 (15). */
  heartbeat?: number;
  /** Seconds after which something is due at the latest (the heartbeat). */
  rhythm?: number;
  /** Whether to go on while the page is hidden (the default). */
  background?: boolean;
}

/** What a state can be shown in: an `HTMLElement` is one. */
export interface ShownIn {
  setAttribute(name: string, value: string): void;
  replaceChildren(...nodes: never[]): void;
}

type EventOf<Name extends string, Type> = Type extends keyof ForeverFrameEventMap
  ? ForeverFrameEventMap[Type]
  : Type extends Name ? FollowedMessage : never;

type Listener<Target, E> = ((this: Target, event: E) => void) | { handleEvent(event: E): void };

/** A stream of messages, each once and in order, over cuts, restarts of the server, and tabs that leave. */
export class ForeverFrame<Name extends string = never> extends EventTarget {
  /** Follows the channels of this address, `/c/NAMES` on a server, from now on. */
  constructor(url: string | URL, options?: ForeverFrameOptions<Name>);

  /** The cursor up to which everything has been delivered; null before anything has been heard. */
  get cursor(): string | null;
  get state(): State;
  /** The transport that is in use, or null. */
  get transport(): Transport | null;
  /** Whether this tab has the connection. */
  get leader(): boolean;
  /** Whether the tabs of this browser share one connection. */
  get shared(): boolean;
  /** For how many seconds nothing has come that was due; 0 if all is well. */
  get silentFor(): number;
  /** The state in words. */
  get description(): string;

  /** Shows the state in words in this element, and keeps it up to date. */
  show(element: ShownIn | null | undefined): void;
  /** Tries again now, if the stream waits to do so. */
  hurry(): void;
  /** Ends the stream. To go on later, make a new one with `since: stream.cursor`. */
  close(): void;

  addEventListener<Type extends keyof ForeverFrameEventMap | Name>(
    type: Type,
    listener: Listener<this, EventOf<Name, Type>> | null,
    options?: boolean | { capture?: boolean; once?: boolean; passive?: boolean; signal?: AbortSignal },
  ): void;
  removeEventListener<Type extends keyof ForeverFrameEventMap | Name>(
    type: Type,
    listener: Listener<this, EventOf<Name, Type>> | null,
    options?: boolean | { capture?: boolean },
  ): void;
}

export default ForeverFrame;

declare global {
  var ForeverFrame: typeof import('forever-frame').ForeverFrame;
}
