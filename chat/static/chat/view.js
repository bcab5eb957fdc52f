// From frames to what a player sees: bubbles, their states, the dots, and which controls still count.

import { h } from "./dom.js";
import { renderElements } from "./elements.js";
import { retireCard } from "./exercise.js";
import { feedbackControl, isOpen } from "./feedback.js";
import { currentLanguage, t } from "./strings.js";

const STARTS_AN_EXERCISE = /^ex_(?!.*_(complete|next|back|stop|(before|after)_\d+)$)[a-z0-9_]+$/;

/** Answers that the panel shows, and the conversation need not. */
const SAID_ELSEWHERE = new Set(["settings_updated"]);

export class View {
  #choices = [];
  #cards = [];
  #pending = new Map();
  #unstored = new Map();
  #exercise;

  /** `acts` holds choose(button), rate(content), again(id) and discard(id). */
  constructor({ log, dots, acts }) {
    Object.assign(this, { log, dots, acts });
    this.feedback = feedbackControl((content) => acts.rate(content));
  }

  clear() {
    this.log.clear();
    this.#choices = [];
    this.#cards = [];
    this.#pending.clear();
    this.#unstored.clear();
    this.typing(false);
  }

  show(frame, order) {
    if (this.#unstored.has(frame.id)) return this.log.place(this.#unstored.get(frame.id), order);
    const isNewest = order >= this.log.last;
    const node = frame.role === "user" ? this.#own(frame) : this.#theirs(frame);
    if (!node) return undefined;
    if (order === Infinity) this.#unstored.set(frame.id, node);
    const hadFocus = this.log.list.contains(document.activeElement);
    if (frame.role !== "user") {
      this.typing(false);
      if (isNewest) this.#takeTurn(node, frame);
    }
    const wasAtEnd = this.log.isLive && this.log.isAtEnd();
    this.log.place(node, order);
    if (!isNewest || !this.log.isLive) return undefined;
    // A button that went must not take the keyboard's place in the page with it.
    if (hadFocus && document.activeElement === document.body) node.focus({ preventScroll: true });
    if (wasAtEnd) this.log.bringToView(node);
    else this.log.announceNewest();
    return undefined;
  }

  typing(isTyping) {
    this.dots.hidden = !isTyping;
    if (isTyping && this.log.isAtEnd()) this.log.toEnd();
  }

  /** An own act the server has not confirmed; `entry` comes from the outbox. */
  pending(entry) {
    const before = this.#pending.get(entry.id);
    const node = before ?? bubble("own", entry.shown, entry.at);
    this.#pending.set(entry.id, node);
    node.dataset.state = entry.state;
    const state = h("span", { class: "state" }, this.#stateOf(entry));
    node.querySelector("footer").replaceChildren(state);
    if (before) return;
    this.log.place(node, Infinity);
    this.log.toEnd();
  }

  #stateOf(entry) {
    if (entry.state === "waiting") return t("waiting");
    if (entry.state === "sent") return t("sending");
    return h("span", { role: "alert" }, `${t("failed")}. ${entry.reason ?? ""} `,
      h("button", { type: "button", class: "link", onclick: () => this.acts.again(entry.id) }, t("again")), " ",
      h("button", { type: "button", class: "link", onclick: () => this.acts.discard(entry.id) }, t("discard")));
  }

  /** Confirmed: from now on it has its place in the log. */
  settle(entry, seq) {
    const node = this.#pending.get(entry.id) ?? bubble("own", entry.shown, entry.at);
    this.#pending.delete(entry.id);
    delete node.dataset.state;
    node.querySelector("footer").replaceChildren(moment(entry.at));
    this.log.place(node, seq);
  }

  withdraw(id) {
    this.#pending.get(id)?.remove();
    this.#pending.delete(id);
  }

  note(text) {
    this.log.place(h("article", { class: "note" }, h("p", {}, text)), this.log.last + 0.5);
  }

  #own(frame) {
    const { text, event, rating } = frame.content;
    const words = event === "feedback" ? ratingInWords({ rating, text }) : text;
    return words ? bubble("own", { text: words, event }, frame.timestamp) : null;
  }

  #theirs(frame) {
    const { text, elements, event } = frame.content;
    if ((!text && !elements.length) || SAID_ELSEWHERE.has(event)) return null;
    const node = bubble(frame.metadata.safety?.crisis ? "theirs crisis" : "theirs", { text }, frame.timestamp);
    if (frame.role === "system") node.classList.add("quietly");
    node.querySelector("footer").before(...renderElements(elements, (element, button) => this.acts.choose(element, button)));
    return node;
  }

  /** A new answer: the choices of the one before it are over, and the feedback line moves down. */
  #takeTurn(node, frame) {
    const types = new Set(frame.content.elements.map((element) => element.type));
    for (const group of this.#choices) retire(group);
    if (types.has("instruction") || types.has("progress")) {
      this.#cards.forEach(retireCard);
      this.#cards = [];
    }
    const control = node.querySelector(".exercise-choices [data-id]");
    if (control) this.#exercise = control.dataset.id.replace(/_(complete|next|back|stop)$/, "");
    this.#choices = [...node.querySelectorAll(".choices:not(.exercise-choices)")];
    this.#cards.push(...node.querySelectorAll(".exercise:not(.plan)"));
    const about = types.has("instruction") || types.has("progress") ? this.#exercise : undefined;
    if (isOpen(this.feedback) || frame.role === "system") return;
    this.feedback.remove();
    // Nobody in danger is asked to rate the answer.
    if (frame.metadata.engine !== "crisis") this.#askFeedback(node, about);
  }

  #askFeedback(node, about) {
    this.feedback = feedbackControl((content) => this.acts.rate({ ...content, ...(about && { about }) }));
    node.querySelector("footer").append(this.feedback);
  }
}

/** Past choices: exercises can still be begun, but an answer to an old question means nothing now. */
function retire(group) {
  group.classList.add("past");
  for (const button of group.querySelectorAll("button")) {
    if (!STARTS_AN_EXERCISE.test(button.dataset.id)) button.disabled = true;
  }
}

export function ratingInWords({ rating, text }) {
  return [rating && t("ratingOf", { rating }), text].filter(Boolean).join(" · ");
}

function speaker(kind, event) {
  if (!kind.startsWith("own")) return t("reply");
  return t({ interaction: "youChose", feedback: "youRated" }[event] ?? "youSaid");
}

function bubble(kind, { text, event }, at) {
  const node = h("article", { class: `bubble ${kind}`, tabindex: "-1" });
  if (event) node.classList.add("act");
  const words = text ? h("p", { class: "words" }, text) : null;
  node.append(h("span", { class: "unseen" }, speaker(kind, event), " "), ...(words ? [words] : []), h("footer", {}, moment(at)));
  return node;
}

function moment(at) {
  const date = new Date(at);
  const isToday = date.toDateString() === new Date().toDateString();
  const day = isToday ? {} : { day: "numeric", month: "short" };
  const text = date.toLocaleString(currentLanguage(), { hour: "numeric", minute: "2-digit", ...day });
  return h("time", { datetime: at }, text);
}
