// Which durable frames were seen. `value` is the end of the unbroken run: asking for what came
// after it can bring a frame twice, but never skip one.

export class Cursor {
  #ahead = new Set();

  constructor(value = 0) {
    this.value = value;
    this.first = value;
  }

  has(seq) {
    return seq <= this.value || this.#ahead.has(seq);
  }

  /** True where the frame is new. */
  add(seq) {
    if (this.has(seq)) return false;
    this.#ahead.add(seq);
    this.#advance();
    return true;
  }

  /** Everything up to `seq` is known to be here or to be gone for good. */
  reach(seq) {
    this.value = Math.max(this.value, seq);
    this.#advance();
  }

  /** Begin in the middle: what lies before `seq` is fetched on demand, from its end backwards. */
  beginAfter(seq) {
    this.first = seq;
    this.value = Math.max(this.value, seq);
    this.#advance();
  }

  #advance() {
    while (this.#ahead.delete(this.value + 1)) this.value += 1;
    for (const seq of this.#ahead) if (seq <= this.value) this.#ahead.delete(seq);
  }
}
