// What the player did and the server has not confirmed yet. It outlives a lost connection and a
// reload, keeps its order, and belongs to one player: nobody's words are sent in another's name.

const KEY = "chat.outbox";

/** Frames on their way at once. After a long silence they go one by one, within the rate limit. */
const ON_THE_WAY = 3;

export class Outbox {
  #backlog = false;

  constructor(owner, storage = sessionStorage) {
    this.owner = owner;
    this.storage = storage;
    const kept = JSON.parse(storage.getItem(KEY) ?? "null");
    this.entries = kept?.owner === owner ? kept.entries : [];
    this.interrupted();
  }

  static forget(storage = sessionStorage) {
    storage.removeItem(KEY);
  }

  add(frame, shown) {
    const entry = { id: crypto.randomUUID(), frame, shown, at: new Date().toISOString(), state: "waiting", tries: 0 };
    this.entries.push(entry);
    this.#keep();
    return entry;
  }

  find(id) {
    return this.entries.find((entry) => entry.id === id);
  }

  get unsent() {
    return this.entries.filter((entry) => entry.state !== "sent").length;
  }

  /** The frames to send now, in order, marked as sent. */
  take() {
    const moving = this.entries.filter((entry) => entry.state === "sent").length;
    const waiting = this.entries.filter((entry) => entry.state === "waiting");
    if (!waiting.length && !moving) this.#backlog = false;
    const room = Math.max(0, (this.#backlog ? 1 : ON_THE_WAY) - moving);
    return waiting.slice(0, room).map((entry) => {
      entry.state = "sent";
      entry.tries += 1;
      return { ...entry.frame, id: entry.id };
    });
  }

  /** Confirmed: the server has it. Undefined where it was confirmed before. */
  settle(id) {
    const entry = this.find(id);
    this.entries = this.entries.filter((other) => other !== entry);
    this.#keep();
    return entry;
  }

  /** Not now, but later and with the same id. */
  postpone(id) {
    const entry = this.find(id);
    if (entry) entry.state = "waiting";
    this.#backlog = true;
    return entry;
  }

  /** Not like this: the player decides what becomes of it. */
  fail(id, reason) {
    const entry = this.find(id);
    if (entry) Object.assign(entry, { state: "failed", reason });
    this.#keep();
    return entry;
  }

  /** The connection went: what was on its way may or may not have arrived. The same id makes asking again safe. */
  interrupted() {
    for (const entry of this.entries) if (entry.state === "sent") entry.state = "waiting";
    this.#backlog = this.entries.length > 0;
  }

  #keep() {
    if (this.entries.length) {
      this.storage.setItem(KEY, JSON.stringify({ owner: this.owner, entries: this.entries }));
    } else {
      this.storage.removeItem(KEY);
    }
  }
}
