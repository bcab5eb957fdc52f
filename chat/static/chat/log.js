// The list of messages: keeps the order of the log whatever order things arrive in, and keeps the
// reader's place.

const NEAR_END_PX = 120;
const MARGIN_PX = 12;

export class Log {
  #order = new WeakMap();
  #stuck = true;

  constructor(scroller, list, newest) {
    Object.assign(this, { scroller, list, newest, isLive: false });
    this.newest.addEventListener("click", () => this.toEnd());
    this.scroller.addEventListener("scroll", () => this.isAtEnd() && (this.newest.hidden = true), { passive: true });
    // The keyboard of a phone, or a text field that grows, must not push the last words out of sight.
    new ResizeObserver(() => this.#stuck && this.toEnd()).observe(scroller);
    this.scroller.addEventListener("scroll", () => (this.#stuck = this.isAtEnd()), { passive: true });
  }

  clear() {
    this.list.replaceChildren();
    this.newest.hidden = true;
    this.#stuck = true;
    this.isLive = false;
  }

  /** A replay is over. Until then nothing is scrolled or announced, which a thousand times would take long. */
  goLive() {
    if (this.isLive) return;
    this.isLive = true;
    this.toEnd();
  }

  get last() {
    let node = this.list.lastElementChild;
    while (node && this.orderOf(node) === Infinity) node = node.previousElementSibling;
    return node ? this.orderOf(node) : 0;
  }

  orderOf(node) {
    return this.#order.get(node) ?? 0;
  }

  /** `order` is the sequence number; Infinity for what has none yet and stays at the end. */
  place(node, order) {
    const stay = this.#stuck && this.isLive;
    this.#order.set(node, order);
    let before = this.list.lastElementChild;
    while (before && (before === node || this.orderOf(before) > order)) before = before.previousElementSibling;
    if (before) before.after(node);
    else this.list.prepend(node);
    if (stay) this.toEnd();
  }

  /** A long answer is read from its beginning: its end must not push that out of sight. */
  bringToView(node) {
    if (node.offsetHeight > this.scroller.clientHeight - MARGIN_PX) {
      this.scroller.scrollTop = node.offsetTop - this.scroller.offsetTop - MARGIN_PX;
      this.#stuck = false;
    }
  }

  /** Older messages come in above without moving what is being read. */
  keepingPlace(change) {
    const fromEnd = this.scroller.scrollHeight - this.scroller.scrollTop;
    this.#stuck = false;
    change();
    this.scroller.scrollTop = this.scroller.scrollHeight - fromEnd;
  }

  isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  }

  toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.newest.hidden = true;
    this.#stuck = true;
  }

  announceNewest() {
    if (!this.#stuck) this.newest.hidden = false;
  }
}
