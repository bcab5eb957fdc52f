// One connection that keeps coming back. It knows nothing of what the frames mean beyond the
// welcome, the pong and the token; it reports states and hands frames on.

import { SessionEnded } from "./api.js";

const STABLE_MS = 10_000;
const ANSWER_MS = 10_000;
const RENEW_BEFORE_MS = 90_000;

/** Full jitter: a thousand pages that lost the same server do not come back together. */
export function backoff(attempt, random = Math.random) {
  const ceiling = Math.min(30_000, 500 * 2 ** attempt);
  return Math.round(ceiling * (0.3 + 0.7 * random()));
}

/** What a close means for the page: get a new token, pause until the player acts, log in again, or try again. */
export function afterClose(code, reason) {
  if (code !== 1008) return "retry";
  if (reason.startsWith("token")) return "renew";
  return { idle: "pause", user_inactive: "end" }[reason] ?? "refuse";
}

export class Connection {
  #socket = null;
  #timers = {};
  #attempt = 0;
  #rejected = false;
  #generation = 0;

  /** `on` holds state(name), frame(frame), welcome(frame) and ended(). */
  constructor({ url, api, since, on }) {
    Object.assign(this, { url, api, since, on, state: "closed" });
  }

  get isOpen() {
    return this.state === "online";
  }

  start() {
    this.#attempt = 0;
    this.#open();
  }

  /** At once instead of after the rest of the wait. */
  hurry() {
    if (["waiting", "offline", "paused", "refused"].includes(this.state)) this.#open();
    else if (this.isOpen) this.#probe();
  }

  stop() {
    this.#drop();
    this.#socket?.close(1000);
    this.#socket = null;
    this.#enter("closed");
  }

  send(frame) {
    this.#socket.send(JSON.stringify(frame));
  }

  async renew() {
    try {
      const { access } = await this.api.renew();
      if (this.isOpen) this.send({ type: "authenticate", content: { token: access } });
      this.#planRenewal();
    } catch (error) {
      if (error instanceof SessionEnded) this.#end();
      else this.#timers.renew = setTimeout(() => this.renew(), 5_000);
    }
  }

  #enter(state) {
    this.state = state;
    this.on.state(state);
  }

  async #open() {
    this.#drop();
    const generation = this.#generation;
    this.#enter("connecting");
    try {
      const access = this.#rejected ? (await this.api.renew()).access : await this.api.access();
      if (generation === this.#generation) this.#dial(access);
    } catch (error) {
      if (generation !== this.#generation) return;
      if (error instanceof SessionEnded) this.#end();
      else this.#wait();
    }
  }

  #dial(access) {
    const url = new URL(this.url, location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    url.search = new URLSearchParams({ typing: "1", since: String(this.since()) });
    const socket = new WebSocket(url, ["chat.v1", `bearer.${access}`]);
    this.#socket = socket;
    this.#timers.answer = setTimeout(() => this.#lost(), ANSWER_MS);
    socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    socket.onclose = (event) => this.#closed(event.code, event.reason);
  }

  #receive(frame) {
    clearTimeout(this.#timers.answer);
    const { event } = frame.content;
    if (event === "welcome") this.#welcomed(frame);
    else if (event === "token_expiring") this.renew();
    else if (!["pong", "authenticated"].includes(event) && this.isOpen) this.on.frame(frame);
  }

  #welcomed(frame) {
    this.#rejected = false;
    this.#timers.stable = setTimeout(() => (this.#attempt = 0), STABLE_MS);
    const beat = (frame.metadata.heartbeat_seconds ?? 25) * 1000;
    this.#timers.beat = setInterval(() => this.#probe(), beat);
    this.#planRenewal();
    this.#enter("online");
    this.on.welcome(frame);
  }

  #planRenewal() {
    clearTimeout(this.#timers.renew);
    const left = this.api.session.until - Date.now();
    this.#timers.renew = setTimeout(() => this.renew(), Math.max(left - RENEW_BEFORE_MS, left / 2, 1_000));
  }

  /** A dead line says nothing; only a missing answer tells. */
  #probe() {
    this.send({ type: "ping" });
    clearTimeout(this.#timers.answer);
    this.#timers.answer = setTimeout(() => this.#lost(), ANSWER_MS);
  }

  #lost() {
    const socket = this.#socket;
    this.#closed(1006, "");
    socket.close();
  }

  #closed(code, reason) {
    this.#drop();
    const next = afterClose(code, reason);
    if (next === "pause") this.#enter("paused");
    else if (next === "refuse") this.#enter("refused");
    else if (next === "end" || (next === "renew" && this.#rejected)) this.#end();
    else {
      this.#rejected ||= next === "renew";
      this.#wait();
    }
  }

  #wait() {
    if (!navigator.onLine) {
      this.#enter("offline");
    } else {
      this.#enter("waiting");
    }
    this.#timers.retry = setTimeout(() => this.#open(), backoff(this.#attempt));
    this.#attempt += 1;
  }

  #end() {
    this.#drop();
    this.#enter("closed");
    this.on.ended();
  }

  /** Forgets the socket and everything that waits for it. */
  #drop() {
    this.#generation += 1;
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    this.#timers = {};
    if (this.#socket) this.#socket.onmessage = this.#socket.onclose = null;
  }
}
