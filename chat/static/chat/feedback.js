// "Was this helpful?" under the newest answer. Closed it is one quiet word; open, a small form.

import { h } from "./dom.js";
import { t } from "./strings.js";

let forms = 0;

/** `send({rating, text})` gets only what was given. */
export function feedbackControl(send) {
  const opener = h("button", { type: "button", class: "link", "aria-expanded": "false" }, t("rate"));
  const box = h("div", { class: "feedback" }, opener);
  const close = () => {
    box.querySelector("form")?.remove();
    opener.setAttribute("aria-expanded", "false");
    opener.hidden = false;
  };
  opener.addEventListener("click", () => {
    const form = feedbackForm(
      (content) => { close(); box.hidden = true; send(content); },
      () => { close(); opener.focus(); },
    );
    opener.setAttribute("aria-expanded", "true");
    opener.hidden = true;
    box.append(form);
    form.querySelector("input").focus();
  });
  return box;
}

export function isOpen(control) {
  return control.querySelector("form") !== null;
}

function feedbackForm(done, cancel) {
  const name = `rating-${(forms += 1)}`;
  const scale = [1, 2, 3, 4, 5].map((value) =>
    h("label", { class: "rating" }, h("input", { type: "radio", name, value }), h("span", {}, String(value))),
  );
  const words = h("textarea", { rows: 2, maxlength: 2000, id: `${name}-text` });
  const problem = h("p", { class: "problem", role: "alert" });
  const form = h("form", { class: "feedback-form" },
    h("fieldset", {}, h("legend", {}, t("rateLegend")), h("div", { class: "scale" }, scale),
      h("div", { class: "scale-ends", "aria-hidden": "true" }, h("span", {}, t("rate1")), h("span", {}, t("rate5")))),
    h("label", { for: `${name}-text` }, t("rateText")), words, problem,
    h("div", { class: "row" }, h("button", { class: "primary" }, t("rateSend")),
      h("button", { type: "button", class: "quiet", onclick: cancel }, t("cancel"))));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const content = given(new FormData(form).get(name), words.value);
    if (Object.keys(content).length) done(content);
    else problem.textContent = t("rateEmpty");
  });
  form.addEventListener("keydown", (event) => event.key === "Escape" && cancel());
  return form;
}

function given(rating, text) {
  return { ...(rating && { rating: Number(rating) }), ...(text.trim() && { text: text.trim() }) };
}
