// One WebSocket per tab: subscriptions to topics that survive every interruption.
//
//   import the name stream from this file;
//   const stop = stream.subscribe("candles:okx:BTC-USDT:1m", (message, { isResync }) => { ... });
//   stream.addEventListener("state", (event) => show(event.detail.state));
//   stream.ageMs("candles:okx:BTC-USDT:1m");   // since the topic's last message; null before it
//
// A handler first gets a snapshot, then updates. `isResync` says that messages were missed before
// this one (reconnect, hole in `seq`, new `epoch`): what is shown must be checked against REST.
//
// Of some topics nothing is published while nobody follows them, so that their last message may be
// old and its `seq` tells of no loss. A third argument is called whenever the topic is followed from
// now on, at first and after every interruption: what REST says then lacks nothing.
//
// States: connecting; live; stale (connected, but the server has lost its source); offline (waiting
// to connect again); paused (hidden for a while); login (the session has ended); full (too many
// connections of this person, tried again now and then); idle (not needed).

const DEFAULTS = {
  path: "/ws/stream/",
  pingMs: 15000, // silence after which the server is asked for a sign of life
  answerMs: 8000, // how long it may take to answer, or to accept a connection
  firstRetryMs: 500,
  lastRetryMs: 20000,
  steadyMs: 5000, // a connection that lasted this long ends the series of retries
  hiddenMs: 60000, // how long a hidden tab stays connected
};

const LOGIN_NEEDED = 4401;
const TOO_MANY_SOCKETS = 4430;

export class Stream extends EventTarget {
  #options;
  #socket = null;
  #state = "idle";
  #topics = new Map(); // topic -> Topic
  #failures = 0;
  #openedAt = 0;
  #heardAt = 0;
  #retryTimer = null;
  #pulseTimer = null;
  #hiddenTimer = null;

  constructor(options = {}) {
    super();
    this.#options = { ...DEFAULTS, ...options };
    document.addEventListener("visibilitychange", () => this.#onVisibility());
    // A page restored from the back/forward cache comes with a dead socket.
    window.addEventListener("pageshow", (event) => event.persisted && this.#wake());
    window.addEventListener("online", () => this.#wake());
    window.addEventListener("offline", () => this.#socket && this.#lose());
  }

  get state() {
    return this.#state;
  }

  /**
   * Call `handler(message, { kind, isResync })` for every message, and `onFollowed()` whenever
   * messages begin to come; returns a function that stops.
   */
  subscribe(topic, handler, onFollowed = () => {}) {
    let entry = this.#topics.get(topic);
    if (entry === undefined) {
      entry = new Topic(topic);
      this.#topics.set(topic, entry);
      this.#send("subscribe", [topic]);
    }
    const reader = { handler, onFollowed };
    entry.add(reader);
    if (this.#state === "idle") this.#connect();
    return () => this.#unsubscribe(entry, reader);
  }

  /** Milliseconds since the last message of `topic` (of any kind without it); null before one. */
  ageMs(topic) {
    const at = topic === undefined ? this.#heardAt : this.#topics.get(topic)?.heardAt;
    return at ? performance.now() - at : null;
  }

  /** End the connection and forget every subscription. */
  close() {
    this.#topics.clear();
    this.#drop();
    this.#setState("idle");
  }

  #unsubscribe(entry, reader) {
    entry.readers.delete(reader);
    if (entry.readers.size > 0 || this.#topics.get(entry.name) !== entry) return;
    this.#topics.delete(entry.name);
    this.#send("unsubscribe", [entry.name]);
  }

  #connect() {
    this.#drop();
    this.#setState("connecting");
    const url = new URL(this.#options.path, window.location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.onopen = () => socket === this.#socket && this.#onOpen();
    socket.onmessage = (event) => socket === this.#socket && this.#onMessage(event.data);
    socket.onclose = (event) => socket === this.#socket && this.#lose(event.code);
    this.#expectAnswer();
  }

  #onOpen() {
    this.#openedAt = this.#heardAt = performance.now();
    // The server takes a limited number of topics in one message.
    const names = [...this.#topics.keys()];
    for (let first = 0; first < names.length; first += 50) {
      this.#send("subscribe", names.slice(first, first + 50));
    }
    this.#planPing();
  }

  #onMessage(text) {
    const message = JSON.parse(text);
    this.#heardAt = performance.now();
    this.#planPing();
    if (message.topic !== undefined && message.type !== "error") this.#onTopic(message);
    else if (message.type === "status") this.#setState(message.live ? "live" : "stale");
    else if (message.type === "error") {
      this.dispatchEvent(new CustomEvent("refused", { detail: message }));
    }
  }

  #onTopic(message) {
    const entry = this.#topics.get(message.topic);
    if (entry === undefined) return;
    const verdict = entry.judge(message);
    if (verdict === "gap") this.#send("subscribe", [message.topic]);
    if (verdict === "take") entry.deliver(message);
  }

  #send(op, topics) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify(topics === undefined ? { op } : { op, topics }));
  }

  #planPing() {
    clearTimeout(this.#pulseTimer);
    this.#pulseTimer = setTimeout(() => this.#ping(), this.#options.pingMs);
  }

  #ping() {
    this.#send("ping");
    this.#expectAnswer();
  }

  #expectAnswer() {
    clearTimeout(this.#pulseTimer);
    this.#pulseTimer = setTimeout(() => this.#lose(), this.#options.answerMs);
  }

  /** Give the connection up and plan the next one. */
  #lose(code) {
    const lasted = this.#openedAt ? performance.now() - this.#openedAt : 0;
    this.#failures = lasted >= this.#options.steadyMs ? 0 : this.#failures + 1;
    this.#drop();
    if (code === LOGIN_NEEDED) return this.#setState("login");
    const { firstRetryMs, lastRetryMs } = this.#options;
    const isFull = code === TOO_MANY_SOCKETS;
    const limit = isFull ? lastRetryMs : Math.min(lastRetryMs, firstRetryMs * 2 ** this.#failures);
    // Jitter: all tabs lose a restarted server at the same moment.
    this.#retryTimer = setTimeout(() => this.#connect(), limit * (0.5 + Math.random() / 2));
    return this.#setState(isFull ? "full" : "offline");
  }

  #drop() {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#pulseTimer);
    clearTimeout(this.#hiddenTimer);
    const socket = this.#socket;
    this.#socket = null;
    this.#openedAt = 0;
    for (const entry of this.#topics.values()) entry.isInterrupted = true;
    if (socket !== null) socket.close();
  }

  #onVisibility() {
    clearTimeout(this.#hiddenTimer);
    if (!document.hidden) return this.#wake();
    this.#hiddenTimer = setTimeout(() => {
      if (this.#state === "idle" || this.#state === "login") return;
      this.#drop();
      this.#setState("paused");
    }, this.#options.hiddenMs);
    return undefined;
  }

  /** The tab or the network is back: connect now, or ask the open connection for a sign of life. */
  #wake() {
    // Somebody may have logged in, or closed tabs, in the meantime.
    if (["offline", "paused", "login", "full"].includes(this.#state)) {
      this.#failures = 0;
      this.#connect();
    } else if (this.#socket?.readyState === WebSocket.OPEN) {
      this.#ping();
    }
  }

  #setState(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state } }));
  }
}

class Topic {
  constructor(name) {
    this.name = name;
    this.readers = new Set();
    this.latest = null;
    this.heardAt = 0;
    this.isInterrupted = false; // messages may have been missed since `latest`
    this.owesResync = false; // messages were missed and no handler has been told yet
  }

  /** Add a reader; it gets what is known already, as soon as the caller is done. */
  add(reader) {
    this.readers.add(reader);
    if (this.latest === null) return;
    queueMicrotask(() => {
      if (!this.readers.has(reader)) return;
      if (!this.isInterrupted) call(reader.onFollowed);
      if (this.latest.seq > 0) call(reader.handler, this.latest, { kind: "snapshot", isResync: false });
    });
  }

  /** "take" the message, "skip" it, or a "gap": messages before it are missing. */
  judge(message) {
    if (message.type === "snapshot") return "take";
    if (this.latest === null) return "skip"; // the snapshot is on its way
    const { epoch, seq } = this.latest;
    const isFirst = epoch === "" && message.seq === 1;
    if (isFirst && !this.isInterrupted) return "take";
    if (message.epoch === epoch && message.seq <= seq) return "skip";
    if (this.isInterrupted) return "skip";
    const isNext = message.epoch === epoch && (message.seq === seq + 1 || message.type === "merged");
    if (isNext) return "take";
    this.isInterrupted = true;
    return "gap";
  }

  deliver(message) {
    const { epoch, seq } = this.latest ?? message;
    const isWhole = message.epoch === epoch && (message.seq === seq || message.seq === seq + 1);
    if (message.type === "snapshot" && !isWhole) this.owesResync = true;
    this.latest = message;
    this.isInterrupted = false;
    if (message.type === "snapshot") for (const { onFollowed } of this.readers) call(onFollowed);
    if (message.seq === 0) return; // nothing has been published yet
    const info = { kind: message.type, isResync: this.owesResync };
    this.owesResync = false;
    this.heardAt = performance.now();
    for (const { handler } of this.readers) call(handler, message, info);
  }
}

/** Call a reader's function; when it fails the error is reported and the others go on. */
function call(act, ...given) {
  try {
    act(...given);
  } catch (error) {
    window.reportError(error);
  }
}

/** The tab's own stream. */
export const stream = new Stream();
