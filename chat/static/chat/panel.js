// "Your space": what was done, how it should be, and the way out.

import { h, icon } from "./dom.js";
import { COUNTRIES } from "./help.js";
import { currentLanguage, keepLanguage, t } from "./strings.js";

const KEY = "chat.settings";
const APPROACHES = ["cbt", "dbt", "act", "mindfulness", "somatic", "self_compassion", "behavioural", "narrative"];

export class Panel {
  /** `acts` holds progress() -> Promise of markers and save(changes) -> whether it was sent at once. */
  constructor({ dialog, progress, form, acts }) {
    Object.assign(this, { dialog, progress, form, acts });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
  }

  async open() {
    this.#fill();
    this.dialog.showModal();
    this.progress.setAttribute("aria-busy", "true");
    try {
      this.#showProgress(await this.acts.progress());
    } catch {
      this.progress.replaceChildren(h("p", { class: "muted" }, t("progressUnreachable")));
    }
    this.progress.setAttribute("aria-busy", "false");
  }

  #showProgress(markers) {
    const rows = markers.map(({ description, achieved_at: at }) =>
      h("li", {}, icon("leaf"), h("span", {}, description, h("time", { datetime: at }, day(at)))));
    this.progress.replaceChildren(rows.length ? h("ul", { class: "markers" }, rows) : h("p", { class: "muted" }, t("progressEmpty")));
  }

  #fill() {
    const names = new Intl.DisplayNames([currentLanguage()], { type: "region" });
    const option = (value, label) => h("option", { value }, label);
    this.form.elements.country.replaceChildren(option("", t("noCountry")), ...COUNTRIES.map((code) => option(code, names.of(code))));
    const boxes = APPROACHES.map((name) =>
      h("label", { class: "check" }, h("input", { type: "checkbox", name: "approach", value: name }), t(name)));
    this.form.querySelector("#approaches").replaceChildren(...boxes);
    this.form.querySelector("output").textContent = "";
    this.#set(this.#kept);
  }

  /** What the server keeps, as it last told. */
  learn(settings) {
    sessionStorage.setItem(KEY, JSON.stringify(settings));
    if (settings.language !== currentLanguage()) keepLanguage(settings.language);
    if (!this.dialog.open) return;
    this.#fill();
    this.#say("saved");
  }

  get #kept() {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "{}");
  }

  #set({ intensity = "", preferred_approaches: approaches = [], country, language = currentLanguage() }) {
    const fields = this.form.elements;
    fields.intensity.value = intensity;
    fields.country.value = country ?? "";
    fields.language.value = language;
    for (const box of this.form.querySelectorAll("[name=approach]")) box.checked = approaches.includes(box.value);
  }

  /** Only what was changed goes to the server, so that an empty form never undoes what another device set. */
  #save() {
    const before = this.#kept;
    const now = chosen(new FormData(this.form));
    const changes = Object.fromEntries(Object.entries(now).filter(([key, value]) => String(value) !== String(before[key] ?? "")));
    if (!Object.keys(changes).length) return this.#say("nothingChosen");
    const isOnItsWay = this.acts.save(changes);
    return this.#say(isOnItsWay ? "saving" : "saveWaiting");
  }

  #say(key) {
    this.form.querySelector("output").textContent = t(key);
  }

  forget() {
    sessionStorage.removeItem(KEY);
  }
}

function chosen(data) {
  const single = ["intensity", "country", "language"].filter((name) => data.get(name));
  const all = Object.fromEntries(single.map((name) => [name, data.get(name)]));
  return { ...all, preferred_approaches: data.getAll("approach") };
}

function day(at) {
  return new Date(at).toLocaleDateString(currentLanguage(), { day: "numeric", month: "long", year: "numeric" });
}
