// Help that is always one tap away: a panel that needs no connection, and a pinned bar after danger
// was heard. The panel shows what the server last named for this player; until then, lines for the US.

import { h } from "./dom.js";
import { resourceLink, resourceList } from "./elements.js";
import { t } from "./strings.js";

const KEY = "chat.help";
const RECENT_MS = 24 * 3600 * 1000;
const PINNED_LINKS = 2;

const ANYWHERE = {
  id: "find_a_helpline", label: "Find A Helpline", method: "website",
  info: "findahelpline.com", link: "https://findahelpline.com/", hours: "", emergency: false,
};

const DEFAULT = [
  { id: "us_911", label: "911", method: "phone", info: "911", link: "tel:911", hours: "24/7", emergency: true },
  { id: "us_988", label: "988 Suicide & Crisis Lifeline", method: "phone", info: "988", link: "tel:988", hours: "24/7", emergency: false },
  { id: "us_988_text", label: "988 Suicide & Crisis Lifeline", method: "text", info: "988", link: "sms:988", hours: "24/7", emergency: false },
  ANYWHERE,
];

// The same numbers as in therapy/crisis/helplines.toml, for the time before the server has named any.
const EMERGENCY = {
  "000": "AU", 111: "NZ", 113: "NO", 119: "JP", 123: "CO", 131: "CL", 192: "BR", 995: "SG", 999: "GB",
  911: "AR CA CR DO EC MX PA PH US UY",
  112: "AT BE BG CH CY CZ DE DK EE ES FI FR GR HR HU IE IN IS IT LI LT LU LV MC MT NL PL PT RO RS SE SI SK TR ZA",
};

const NUMBER_OF = Object.fromEntries(
  Object.entries(EMERGENCY).flatMap(([number, countries]) => countries.split(" ").map((country) => [country, number])),
);

export const COUNTRIES = Object.keys(NUMBER_OF);

/** What to show before the server has named lines for a country. */
export function linesFor(country) {
  if (!(country in NUMBER_OF) || country === "US") return DEFAULT;
  const number = NUMBER_OF[country];
  return [{ ...DEFAULT[0], label: country, info: number, link: `tel:${number}` }, ANYWHERE];
}

export class Help {
  #dismissed = 0;

  constructor({ dialog, list, bar }) {
    Object.assign(this, { dialog, list, bar });
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    this.resources = kept?.resources ?? DEFAULT;
    this.#dismissed = kept?.dismissed ?? 0;
    this.refresh();
  }

  refresh() {
    this.list.replaceChildren(resourceList(this.resources));
  }

  open() {
    this.dialog.showModal();
  }

  forget() {
    sessionStorage.removeItem(KEY);
    this.#dismissed = 0;
    this.resources = DEFAULT;
    this.bar.hidden = true;
    this.refresh();
  }

  chooseCountry(country) {
    this.resources = linesFor(country);
    this.#keep();
  }

  /** Learns the helplines of a crisis answer, and pins them where the answer is not an old one. */
  notice(frame, now = Date.now()) {
    const resources = frame.content.elements.filter((element) => element.type === "resource");
    if (!resources.length) return;
    const hasEmergency = resources.some((resource) => resource.emergency);
    this.resources = hasEmergency ? resources : [...this.resources.filter((known) => known.emergency), ...resources];
    this.#keep();
    const isRecent = now - Date.parse(frame.timestamp) < RECENT_MS;
    const saidAt = Date.parse(frame.timestamp);
    if (frame.metadata.safety?.crisis && isRecent && saidAt > this.#dismissed) this.#pin();
  }

  #pin() {
    const people = this.resources.filter((resource) => !resource.emergency && resource.method !== "website");
    const emergency = this.resources.filter((resource) => resource.emergency);
    const shown = [...emergency.slice(0, 1), ...people.slice(0, PINNED_LINKS)];
    const links = shown.map((resource) => {
      const link = resourceLink(resource);
      link.classList.add("resource-short");
      return link;
    });
    this.bar.replaceChildren(
      h("div", { class: "pinned-top" },
        h("strong", {}, t("pinned")),
        h("button", { type: "button", class: "link", onclick: () => this.open() }, t("allHelp")),
        h("button", { type: "button", class: "link", onclick: () => this.#dismiss() }, t("hide"))),
      h("div", { class: "pinned-links" }, links));
    this.bar.hidden = false;
  }

  #dismiss() {
    this.#dismissed = Date.now();
    this.bar.hidden = true;
    this.#keep();
    document.getElementById("words").focus();
  }

  #keep() {
    sessionStorage.setItem(KEY, JSON.stringify({ resources: this.resources, dismissed: this.#dismissed }));
    this.refresh();
  }
}

