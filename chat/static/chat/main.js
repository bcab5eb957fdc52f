// Wires the page together: logging in, the conversation, and what the browser tells.

import { Api, RequestFailed } from "./api.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { Help } from "./help.js";
import { Log } from "./log.js";
import { Outbox } from "./outbox.js";
import { Panel } from "./panel.js";
import { currentLanguage, preferredLanguage, speak, t } from "./strings.js";
import { View, ratingInWords } from "./view.js";

const $ = (id) => document.getElementById(id);
const urls = { ...document.body.dataset };
const api = new Api(urls);

/** Whose traces are on this device: what one player left is gone before another one logs in. */
const PLAYER = "chat.player";

/** The sentence for each state of the connection, and what a player can do about it. */
const BANNERS = { waiting: ["reconnecting", "tryNow"], offline: ["offline", "tryNow"], paused: ["paused", "goOn"], refused: ["refused", "goOn"] };

let conversation = null;

speak(preferredLanguage());

const help = new Help({ dialog: $("help"), list: $("help-lines"), bar: $("pinned") });
const log = new Log($("scroller"), $("messages"), $("newest"));
const view = new View({
  log,
  dots: $("typing"),
  acts: {
    choose: (element) => {
      conversation.choose(element);
      log.toEnd();
    },
    rate: (content) => conversation.rate(content, ratingInWords(content)),
    again: (id) => conversation.again(id),
    discard: (id) => conversation.discard(id),
  },
});
const composer = new Composer({ form: $("composer"), field: $("words"), left: $("left"), onSend: (text) => conversation.say(text) });
const panel = new Panel({
  dialog: $("panel"),
  progress: $("progress"),
  form: $("settings"),
  acts: { progress: async () => (await api.get(urls.progressUrl)).markers, save: saveSettings },
});

function saveSettings(changes) {
  if (changes.country) help.chooseCountry(changes.country);
  return conversation.set(changes);
}

// --- logging in and out ---

function showLogin(sentence = "") {
  conversation?.stop();
  conversation = null;
  document.body.dataset.view = "login";
  $("login").hidden = false;
  $("chat").hidden = $("menu").hidden = true;
  $("login-problem").textContent = sentence;
  $("username").focus();
}

function showChat() {
  if (sessionStorage.getItem(PLAYER) !== api.session.owner) wipe();
  sessionStorage.setItem(PLAYER, api.session.owner);
  document.body.dataset.view = "chat";
  $("login").hidden = true;
  $("chat").hidden = $("menu").hidden = false;
  $("intro-title").textContent = t("introTitle", { name: api.session.name });
  $("messages").setAttribute("aria-live", "off");
  $("intro").hidden = true;
  $("earlier").hidden = true;
  view.clear();
  conversation = new Conversation({ api, urls, view, help, on: { state: showState, caughtUp, earlier, settings, ended } });
  conversation.start();
  $("words").focus();
}

$("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.submitter;
  button.disabled = true;
  button.textContent = t("loggingIn");
  try {
    await api.logIn($("username").value, $("password").value);
    event.target.reset();
    showChat();
  } catch (error) {
    $("login-problem").textContent = t(reasonOf(error));
    $("password").select();
  } finally {
    button.disabled = false;
    button.textContent = t("logIn");
  }
});

function reasonOf(error) {
  if (!(error instanceof RequestFailed)) return "loginUnreachable";
  if (error.status === 429 || error.status === 403) return "loginTooMany";
  return error.status < 500 ? "loginWrong" : "loginUnreachable";
}

$("log-out").addEventListener("click", () => {
  const unsent = conversation.outbox.unsent;
  if (!unsent) return leave();
  $("unsent-words").textContent = t("unsentTitle", { count: unsent });
  return $("unsent").showModal();
});
$("leave-anyway").addEventListener("click", () => leave());

function leave() {
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  conversation.stop();
  wipe();
  api.logOut();
  showLogin();
}

/** Nothing of a player stays on the device: it may be somebody else's. */
function wipe() {
  sessionStorage.removeItem(PLAYER);
  Outbox.forget();
  help.forget();
  panel.forget();
  composer.clear();
  view.clear();
}

function ended() {
  api.forget();
  showLogin(t("loginAgain"));
}

// --- what the conversation tells ---

function showState(state) {
  document.body.dataset.connection = state;
  if (state === "connecting" || state === "closed") return;
  const [sentence, action] = BANNERS[state] ?? [];
  $("banner-words").textContent = sentence ? t(sentence) : "";
  $("banner-action").textContent = action ? t(action) : "";
  $("banner").hidden = !sentence;
}

/** A replay is not news: what comes is read out only from here on. */
function caughtUp() {
  log.goLive();
  const isNew = conversation.newest === 0 && $("intro").hidden;
  if (isNew && currentLanguage() !== "en") conversation.set({ language: currentLanguage() });
  $("intro").hidden = false;
  $("messages").setAttribute("aria-live", "polite");
}

function earlier(exists) {
  $("earlier").hidden = !exists;
}

/** What was set on whichever device, as the log tells it. */
function settings(kept) {
  panel.learn(kept);
  help.refresh();
}

// --- what the browser and the player tell ---

const hurry = () => conversation?.connection.hurry();
addEventListener("online", hurry);
addEventListener("offline", hurry);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && hurry());
$("banner-action").addEventListener("click", hurry);
$("words").addEventListener("input", () => conversation?.connection.state === "paused" && hurry());
$("earlier").addEventListener("click", () => conversation.earlier());
$("menu").addEventListener("click", () => panel.open());
for (const button of document.querySelectorAll("[data-opens=help]")) button.addEventListener("click", () => help.open());
for (const button of document.querySelectorAll("[data-closes]")) {
  button.addEventListener("click", () => button.closest("dialog").close());
}
for (const button of document.querySelectorAll("[data-suggests]")) {
  button.addEventListener("click", () => composer.put(button.textContent));
}

if (api.session) showChat();
else showLogin();
