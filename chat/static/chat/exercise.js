// The card of an exercise: cautions first, then a pace to follow, or steps to tick off.

import { h, icon } from "./dom.js";
import { Pacer, isRhythmic, isTimed, timetable } from "./pacer.js";
import { t } from "./strings.js";

const SMALL = 0.5;
const TICK_MS = 100;

let cards = 0;

/** A card whose exercise is over stays to be read again, but completes nothing any more. */
export function retireCard(card) {
  card.querySelector(".exercise-choices").remove();
  card.querySelector(".steps").dispatchEvent(new Event("retire"));
}

/** What the player wrote for a hard hour, line by line; nothing is to be done with it but to read it. */
export function planCard({ title, steps }) {
  const id = `exercise-${(cards += 1)}`;
  const lines = steps.map(({ text }) => h("li", {}, h("span", {}, text)));
  const heading = h("h2", { id, class: "exercise-title" }, icon("leaf"), title);
  return h("section", { class: "exercise plan", "aria-labelledby": id }, heading, h("ol", { class: "steps" }, lines));
}

/** `controls` are the buttons that came with the instruction: complete it, or one step on, back, or stop. */
export function exerciseCard(instruction, controls) {
  const id = `exercise-${(cards += 1)}`;
  const steps = instruction.steps;
  const card = h("section", { class: "exercise", "aria-labelledby": id });
  card.append(
    h("h2", { id, class: "exercise-title" }, icon("leaf"), instruction.title),
    h("p", { class: "exercise-length" }, length(instruction)),
    cautions(instruction.cautions ?? []),
  );
  const list = stepList(steps, isTimed(steps));
  if (isTimed(steps)) card.append(pace(instruction, list, controls));
  card.append(isRhythmic(steps) ? h("details", { class: "steps-folded" }, h("summary", {}, t("steps")), list) : list);
  card.append(h("div", { class: "choices exercise-choices" }, controls));
  return card;
}

function length({ steps, duration_seconds: seconds }) {
  if (!isTimed(steps)) return t("ownPace");
  return t("aboutMinutes", { count: Math.max(1, Math.round(seconds / 60)) });
}

function cautions(sentences) {
  if (!sentences.length) return null;
  return h("div", { class: "cautions" }, h("strong", {}, t("before")), sentences.map((text) => h("p", {}, text)));
}

function stepList(steps, timed) {
  const rows = steps.map((step) => {
    const seconds = step.seconds ? h("span", { class: "step-seconds" }, t("seconds", { count: step.seconds })) : null;
    if (timed) return h("li", {}, h("span", {}, step.text), seconds);
    return h("li", {}, h("label", {}, h("input", { type: "checkbox" }), h("span", {}, step.text)));
  });
  return h("ol", { class: "steps" }, rows);
}

/** The orb that grows and shrinks, the words, the countdown and the three buttons. */
function pace(instruction, list, controls) {
  const rhythmic = isRhythmic(instruction.steps);
  const orb = h("div", { class: "orb" });
  const count = h("span", { class: "orb-count", "aria-hidden": "true" });
  const cue = h("span", { class: "orb-cue", "aria-hidden": "true" });
  const words = h("p", { class: "pace-words", role: "status" }, t("ready"));
  const round = h("p", { class: "pace-round" });
  const main = h("button", { type: "button", class: "primary" }, t("begin"));
  const next = h("button", { type: "button", class: "quiet", hidden: true }, t("nextStep"));
  const stop = h("button", { type: "button", class: "quiet", hidden: true }, t("stop"));
  const stage = h("div", { class: "stage" }, h("div", { class: "halo" }), orb, h("div", { class: "orb-face" }, cue, count));
  const parts = { orb, count, cue, words, round, main, next, stop, list, controls, rhythmic };
  const player = new Player(instruction, parts);
  main.addEventListener("click", () => player.toggle());
  next.addEventListener("click", () => player.pacer.skip());
  stop.addEventListener("click", () => player.stop());
  list.addEventListener("retire", () => player.retire());
  return h("div", { class: rhythmic ? "pace" : "pace pace-steady" }, stage, words, round, h("div", { class: "pace-buttons" }, main, next, stop));
}

function lessMotion() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

class Player {
  #timer = null;
  #movement = null;
  #size = SMALL;
  #wakeLock = null;

  constructor(instruction, parts) {
    this.parts = parts;
    this.cycles = instruction.cycles ?? 1;
    this.pacer = new Pacer(timetable(instruction), {
      now: () => performance.now(),
      onStep: (entry) => this.#step(entry),
      onEnd: () => this.#end(t("finished")),
    });
  }

  toggle() {
    const { state } = this.pacer;
    if (state === "running") this.#pause();
    else if (state === "paused") this.#proceed();
    else this.#start();
  }

  stop() {
    this.pacer.stop();
    this.#end(t("stopped"));
    this.parts.main.focus();
  }

  /** The exercise is over on the server, whatever the clock says. */
  retire() {
    this.pacer.stop();
    this.#end("");
  }

  #start() {
    this.parts.stop.hidden = false;
    this.parts.main.textContent = t("pause");
    this.pacer.start();
    this.#run();
    const smoothly = lessMotion() ? "auto" : "smooth";
    this.parts.main.closest(".pace").scrollIntoView({ block: "center", behavior: smoothly });
  }

  #proceed() {
    this.parts.main.textContent = t("pause");
    this.pacer.proceed();
    this.#movement?.play();
    this.#run();
  }

  #pause() {
    this.pacer.pause();
    if (this.pacer.state !== "paused") return;
    this.parts.main.textContent = t("proceed");
    this.#movement?.pause();
    this.#rest();
  }

  #run() {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    navigator.wakeLock?.request("screen").then((lock) => (this.#wakeLock = lock), () => {});
  }

  #rest() {
    clearInterval(this.#timer);
    this.#wakeLock?.release();
    this.#wakeLock = null;
  }

  #tick() {
    this.pacer.tick();
    if (this.pacer.state === "running") this.parts.count.textContent = this.pacer.secondsLeft || "";
  }

  #step({ text, seconds, index, cycle, motion, size }) {
    const { words, round, cue, count, next, list, rhythmic } = this.parts;
    words.textContent = text;
    round.textContent = this.cycles > 1 ? t("round", { cycle, cycles: this.cycles }) : "";
    cue.textContent = rhythmic && motion !== "still" ? t(motion) : "";
    count.textContent = seconds || "";
    next.hidden = rhythmic && seconds > 0;
    for (const row of list.children) row.removeAttribute("aria-current");
    list.children[index].setAttribute("aria-current", "step");
    if (rhythmic && size) this.#move(size, seconds);
  }

  /** Whoever asked for less motion gets the words and the countdown, and an orb at rest. */
  #move(target, seconds) {
    if (lessMotion()) return;
    const frames = [{ transform: `scale(${this.#size})` }, { transform: `scale(${target})` }];
    this.#movement = this.parts.orb.animate(frames, { duration: seconds * 1000, easing: "ease-in-out", fill: "forwards" });
    this.#size = target;
  }

  #end(sentence) {
    const { words, round, cue, count, main, next, stop, list, controls } = this.parts;
    this.#rest();
    if (this.parts.rhythmic) this.#move(SMALL, 1.5);
    words.textContent = sentence;
    round.textContent = cue.textContent = count.textContent = "";
    for (const row of list.children) row.removeAttribute("aria-current");
    const hadFocus = [main, next, stop].includes(document.activeElement);
    main.textContent = t("restart");
    main.classList.replace("primary", "quiet");
    next.hidden = stop.hidden = true;
    const onward = controls.find(({ dataset }) => /_(complete|next)$/.test(dataset.id));
    onward?.classList.add("primary");
    if (hadFocus && this.pacer.state === "ended") onward?.focus();
  }
}
