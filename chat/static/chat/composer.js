// The field in which a player writes. What is half written survives a reload.

import { t } from "./strings.js";

const KEY = "chat.draft";
const TALLEST_PX = 180;
const WARN_AT = 500;

export class Composer {
  constructor({ form, field, left, onSend }) {
    Object.assign(this, { form, field, left, onSend });
    field.value = sessionStorage.getItem(KEY) ?? "";
    field.addEventListener("input", () => this.#changed());
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#send();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#changed();
  }

  put(text) {
    this.field.value = text;
    this.#changed();
    this.field.focus();
  }

  clear() {
    this.field.value = "";
    this.#changed();
  }

  #send() {
    const text = this.field.value.trim();
    if (!text) return;
    this.clear();
    this.onSend(text);
    this.field.focus();
  }

  #changed() {
    if (this.field.value) sessionStorage.setItem(KEY, this.field.value);
    else sessionStorage.removeItem(KEY);
    this.field.style.height = "auto";
    this.field.style.height = `${Math.min(this.field.scrollHeight, TALLEST_PX)}px`;
    const room = this.field.maxLength - this.field.value.length;
    this.left.textContent = room < WARN_AT ? t("charactersLeft", { count: room }) : "";
  }
}
