// The time of an exercise, without a page: which step it is, how long it still lasts, what comes next.

const WORDS = {
  hold: /\b(hold|pause|rest|wait|mant[eé]n|sost[eé]n|ret[eé]n|pausa|espera|descansa)\b/i,
  exhale: /\b(out|exhale|release|let go|sigh|exhala|su[eé]lta|sopla|espira|salir)/i,
  inhale: /\b(in|inhale|sip|inhala|inspira|toma)\b/i,
};

/** How a step moves, told from the first word in it that says so. */
export function motionOf(step) {
  if (!step.seconds) return "still";
  const found = Object.entries(WORDS)
    .map(([motion, words]) => ({ motion, at: step.text.search(words) }))
    .filter(({ at }) => at >= 0)
    .sort((one, other) => one.at - other.at);
  return found[0]?.motion ?? "still";
}

/** Breathing and the like: several short steps, and most of them move. */
export function isRhythmic(steps) {
  const moving = steps.filter((step) => step.seconds <= 20 && motionOf(step) !== "still");
  return moving.length >= 2 && moving.length * 2 > steps.length;
}

export function isTimed(steps) {
  return steps.some((step) => step.seconds > 0);
}

const SMALL = 0.5;
const ALMOST = 0.85;

/** How large the lungs are drawn at the end of each step; a second sip of air still finds some room. */
function sizes(motions) {
  return motions.map((motion, index) => {
    if (motion === "inhale") return motions[index + 1] === "inhale" ? ALMOST : 1;
    return motion === "exhale" ? SMALL : null;
  });
}

/** All steps of all cycles, one after the other. `size` is null where nothing moves. */
export function timetable({ steps, cycles = 1 }) {
  const motions = steps.map(motionOf);
  const size = sizes(motions);
  const round = steps.map((step, index) => ({ ...step, index, motion: motions[index], size: size[index] }));
  return Array.from({ length: cycles }, (_, cycle) => round.map((step) => ({ ...step, cycle: cycle + 1 }))).flat();
}

export class Pacer {
  #elapsed = 0;
  #seenAt = null;
  #position = 0;

  /** `now` is a clock in milliseconds; `onStep(entry)` and `onEnd()` tell what happens. */
  constructor(entries, { now, onStep, onEnd }) {
    Object.assign(this, { entries, now, onStep, onEnd, state: "ready" });
  }

  get current() {
    return this.entries[this.#position];
  }

  /** Whole seconds that the step still lasts; 0 where the player sets the pace. */
  get secondsLeft() {
    return Math.max(0, Math.ceil(this.current.seconds - this.#elapsed / 1000));
  }

  start() {
    this.#position = 0;
    this.#elapsed = 0;
    this.proceed();
    this.onStep(this.current);
  }

  pause() {
    this.tick();
    if (this.state === "running") this.state = "paused";
  }

  proceed() {
    this.#seenAt = this.now();
    this.state = "running";
  }

  /** To be called several times a second. A late call loses no time: what is left over counts for the next step. */
  tick() {
    if (this.state !== "running") return;
    const now = this.now();
    this.#elapsed += now - this.#seenAt;
    this.#seenAt = now;
    while (this.state === "running" && this.current.seconds && this.#elapsed >= this.current.seconds * 1000) {
      this.#elapsed -= this.current.seconds * 1000;
      this.#next();
    }
  }

  skip() {
    this.#elapsed = 0;
    this.#next();
  }

  stop() {
    this.state = "stopped";
  }

  #next() {
    if (this.#position + 1 === this.entries.length) {
      this.state = "ended";
      this.onEnd();
      return;
    }
    this.#position += 1;
    if (!this.current.seconds) this.#elapsed = 0;
    this.onStep(this.current);
  }
}
