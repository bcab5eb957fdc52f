// What an answer can hold beside words: helplines, exercises, choices, recommendations, progress.

import { h, icon } from "./dom.js";
import { exerciseCard, planCard } from "./exercise.js";
import { isRhythmic } from "./pacer.js";
import { t } from "./strings.js";

const VERBS = { phone: "call", text: "sms", chat: "open", website: "visit" };
const SAFE_LINK = /^(tel:|sms:|https:\/\/)/i;

/** Buttons that steer the exercise they came with. */
const STEERS = /^ex_.*_(complete|next|back|stop)$/;
const WHOLE = /^ex_(.+)_steps$/;

const ofType = (elements, type) => elements.filter((element) => element.type === type);

/** `act(button)` is called with the element that was chosen. */
export function renderElements(elements, act) {
  const nodes = [];
  const resources = ofType(elements, "resource");
  const all = ofType(elements, "button");
  const steering = all.filter(({ id }) => STEERS.test(id));
  const choices = all.filter(({ id }) => !STEERS.test(id));
  for (const instruction of ofType(elements, "instruction")) {
    const controls = steering.splice(0);
    if (controls.length) nodes.push(exerciseCard(instruction, withSteps(instruction, controls).map((button) => choice(button, act))));
    else nodes.push(planCard(instruction)); // the player's own plan: to be read before everything else
  }
  if (resources.length) nodes.push(resourceList(resources));
  const buttons = [...steering, ...choices].map((element) => choice(element, act));
  if (buttons.length) nodes.push(h("div", { class: "choices" }, buttons));
  const recommended = ofType(elements, "recommendation");
  if (recommended.length) nodes.push(recommendations(recommended, act));
  return nodes.concat(ofType(elements, "progress").map(progressLine));
}

/** A whole exercise can be gone through one step at a time as well; a breath, of which the pace is all, can't. */
function withSteps({ id, steps }, controls) {
  const whole = WHOLE.exec(id);
  if (!whole || isRhythmic(steps)) return controls;
  return [...controls, { id: `ex_${whole[1]}_next`, label: t("stepByStep") }];
}

function choice(element, act) {
  const onclick = (event) => act(element, event.currentTarget);
  return h("button", { type: "button", class: "choice", "data-id": element.id, onclick }, element.label);
}

function recommendations(elements, act) {
  const rows = elements.map((element) =>
    h("li", {}, choice(element, act), element.reason && h("span", { class: "reason" }, element.reason)),
  );
  return h("div", { class: "recommendations" }, h("p", { class: "quiet-heading" }, t("mayHelp")), h("ul", {}, rows));
}

export function progressLine({ label }) {
  return h("p", { class: "progress-line" }, icon("leaf"), h("span", {}, h("span", { class: "small" }, t("recorded")), h("span", {}, label)));
}

/** Emergency numbers first: whoever needs them has no time to look. */
export function resourceList(resources) {
  const order = [...resources].sort((one, other) => Number(other.emergency) - Number(one.emergency));
  return h("ul", { class: "resources" }, order.map((resource) => h("li", {}, resourceLink(resource))));
}

export function resourceLink({ label, method, info, link, hours, emergency }) {
  if (!SAFE_LINK.test(link)) return h("span", { class: "resource" }, resourceWords({ label, method, info, hours, emergency }));
  const outside = /^https/i.test(link) ? { target: "_blank", rel: "noopener noreferrer" } : {};
  const kind = emergency ? "resource resource-emergency" : "resource";
  return h("a", { class: kind, href: link, ...outside }, icon(method), resourceWords({ label, method, info, hours, emergency }));
}

function resourceWords({ label, method, info, hours, emergency }) {
  const isDialled = method !== "phone" || /^[+*\d]/.test(info);
  const action = h("span", { class: "resource-action" }, isDialled ? t(VERBS[method], { info }) : info);
  const details = [emergency && !label.includes(t("emergency")) ? t("emergency") : null, label, hours].filter(Boolean);
  return h("span", { class: "resource-words" }, action, " ", h("span", { class: "resource-details" }, details.join(" · ")));
}
