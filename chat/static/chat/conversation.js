// One player's conversation: frames in, acts out, and the promise that nothing is lost or doubled.

import { Cursor } from "./cursor.js";
import { Outbox } from "./outbox.js";
import { Connection } from "./socket.js";

const PAGE = 200;
const TRIES = 5;

export class Conversation {
  #cursor = new Cursor();
  #unstored = new Set();
  #pause = null;

  /** `on` holds state(name), caughtUp(), earlier(exists), settings(kept), ended(). */
  constructor({ api, urls, view, help, on }) {
    Object.assign(this, { api, urls, view, help, on });
    this.outbox = new Outbox(api.session.owner);
    for (const entry of this.outbox.entries) if (entry.shown) view.pending(entry);
    this.connection = new Connection({
      url: urls.socketPath,
      api,
      since: () => this.#cursor.value,
      on: {
        state: (state) => this.#changed(state),
        welcome: (frame) => this.#welcome(frame),
        frame: (frame) => this.#receive(frame),
        ended: () => on.ended(),
      },
    });
  }

  start() {
    this.connection.start();
  }

  stop() {
    clearTimeout(this.#pause);
    this.connection.stop();
  }

  // --- acts ---

  say(text) {
    this.#act({ type: "user_message", content: { text } }, { text });
  }

  choose({ id, label }) {
    const frame = { type: "interaction", content: { action: "button_click", id } };
    this.#act(frame, { text: label, event: "interaction" });
  }

  rate(content, shown) {
    this.#act({ type: "feedback", content }, { text: shown, event: "feedback" });
  }

  /** True where the change is on its way, false where it waits for a connection. */
  set(changes) {
    this.#act({ type: "update_settings", content: changes }, null);
    return this.connection.isOpen;
  }

  again(id) {
    this.#show(this.outbox.postpone(id));
    this.#pump();
  }

  discard(id) {
    this.outbox.settle(id);
    this.view.withdraw(id);
  }

  #act(frame, shown) {
    this.#show(this.outbox.add(frame, shown));
    if (this.connection.isOpen) this.#pump();
    else this.connection.hurry();
  }

  #show(entry) {
    if (entry?.shown) this.view.pending(entry);
  }

  #pump() {
    if (!this.connection.isOpen || this.#pause) return;
    for (const frame of this.outbox.take()) {
      this.connection.send(frame);
      this.#show(this.outbox.find(frame.id));
    }
  }

  // --- what comes in ---

  #changed(state) {
    if (state !== "online") {
      this.view.typing(false);
      this.outbox.interrupted();
      this.outbox.entries.forEach((entry) => this.#show(entry));
    }
    this.on.state(state);
  }

  async #welcome({ metadata }) {
    this.newest = metadata.seq ?? 0;
    this.#pump();
    if (metadata.resumed === false) await this.#catchUp(metadata.history_path ?? this.urls.messagesUrl);
    this.#checkCaughtUp();
  }

  #receive(frame) {
    const { event } = frame.content;
    const received = { typing: () => this.view.typing(frame.content.status === "start"), ack: () => this.#ack(frame), error: () => this.#error(frame) };
    if (event in received) received[event]();
    else this.#durable(frame);
    this.#checkCaughtUp();
  }

  #durable(frame) {
    const { seq, client_id: ownId } = frame.metadata;
    if (seq ? !this.#cursor.add(seq) : this.#unstored.has(frame.id)) return;
    // In a crisis the answer does not wait for the database; once stored, it comes again with its place.
    if (!seq) this.#unstored.add(frame.id);
    const own = ownId && this.outbox.settle(ownId);
    if (own) this.#settled(own, seq);
    else this.view.show(frame, seq ?? Infinity);
    if (frame.metadata.settings) this.on.settings(frame.metadata.settings);
    if (frame.role !== "user") this.help.notice(frame);
  }

  #ack({ content, metadata }) {
    const seq = content.seq ?? metadata.seq;
    const isNew = this.#cursor.add(seq);
    const entry = this.outbox.settle(metadata.in_reply_to);
    if (entry && isNew) this.#settled(entry, seq);
    this.#pump();
  }

  #settled(entry, seq) {
    if (entry.shown) this.view.settle(entry, seq);
  }

  #error({ content, metadata }) {
    const { code, text, retry_after_ms: wait } = content;
    const entry = this.outbox.find(metadata.in_reply_to);
    if (code === "rate_limited" && !entry) {
      // Refused unread, so it is not said which one: all that are not confirmed go again, with the same ids.
      this.outbox.interrupted();
      this.outbox.entries.forEach((other) => this.#show(other));
      this.#waitBeforeSending(wait);
    } else if (!entry) {
      this.view.note(text);
    } else if (wait && entry.tries < TRIES) {
      this.#show(this.outbox.postpone(entry.id));
      this.#waitBeforeSending(wait * entry.tries);
    } else {
      this.#show(this.outbox.fail(entry.id, text));
      this.#pump();
    }
  }

  #waitBeforeSending(milliseconds) {
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => {
      this.#pause = null;
      this.#pump();
    }, milliseconds);
  }

  #checkCaughtUp() {
    if (this.#cursor.value >= this.newest) this.on.caughtUp();
  }

  // --- history by REST, where the socket cannot replay it ---

  /** A page that has just opened shows the latest part; one that was open gets everything it missed. */
  async #catchUp(url) {
    if (!this.#cursor.value) this.#cursor.beginAfter(Math.max(0, this.newest - PAGE));
    this.on.earlier(this.#cursor.first > 0);
    const target = this.newest;
    while (this.#cursor.value < target) {
      const frames = await this.#page(url, this.#cursor.value, PAGE);
      if (!frames.length) return this.#cursor.reach(target);
      frames.forEach((frame) => this.#durable(frame));
      // Rows that were erased leave no frame, and must not be asked for again.
      this.#cursor.reach(frames.at(-1).metadata.seq);
    }
    return undefined;
  }

  async earlier() {
    const end = this.#cursor.first;
    const start = Math.max(0, end - PAGE);
    const frames = await this.#page(this.urls.messagesUrl, start, end - start);
    this.#cursor.beginAfter(start);
    this.view.log.keepingPlace(() => frames.forEach((frame) => frame.metadata.seq <= end && this.view.show(frame, frame.metadata.seq)));
    this.on.earlier(start > 0);
  }

  async #page(url, after, limit) {
    const address = new URL(url, location.href);
    address.searchParams.set("after", after);
    address.searchParams.set("limit", limit);
    return (await this.api.get(address)).messages;
  }
}
