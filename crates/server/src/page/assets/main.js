// Begins: takes the issuer's answer out of the address before anything else, then signs in or asks to.

import { alertPlace, busy, el, show, tell } from "./elements.js";
import { chooseLanguage, language, languages, bind, say, sayIn, startLanguage } from "./language.js";
import { isOverviewShown, showOverview } from "./overview.js";
import { askToSignInAgain, handOver } from "./renewal.js";
import { forgetSession, onSessionEnd, startSession, token } from "./session.js";
import { keep, prepare, redeem, takeAnswer, takeKept } from "./sign-in.js";
import { NAMES } from "./texts.js";

const answer = takeAnswer();
const kept = takeKept();
const header = document.getElementById("header");
let config;

function showHeader() {
  const choices = languages.map((name) => bind(
    el("button", { type: "button", class: "small", lang: name, onclick: () => chooseLanguage(name) }, NAMES[name]),
    (button) => button.setAttribute("aria-pressed", String(language() === name))));
  const icon = el("img", { src: new URL("icon.svg", import.meta.url).href, alt: "", width: "28", height: "28" });
  header.replaceChildren(
    el("p", { class: "brand" }, icon, config?.service ?? ""),
    el("div", { class: "choices" },
      sayIn(el("div", { class: "languages", role: "group" }, choices), "aria-label", "language"),
      token() && el("button", { type: "button", class: "small", onclick: signOut }, say("signOut"))));
}

function showSignIn(fault, ...further) {
  showHeader();
  const failed = alertPlace();
  const button = el("button", { type: "button", class: "primary", onclick: () => busy(button, async () => {
    try {
      const { url, pending } = await prepare(config, language());
      keep(pending);
      location.assign(url);
    } catch (error) {
      console.error(error);
      failed.replaceChildren(say("signInFailed"));
    }
  }) }, say("signIn"));
  show(el("div", { class: "card welcome" }, el("h1", {}, say("title")), el("p", {}, say("welcome")), ...further, failed, button));
  // After it is on the page, or it would not be read out.
  if (fault) failed.append(say(fault));
}

function showFault(key) {
  showHeader();
  const failed = alertPlace();
  show(el("div", { class: "card welcome" }, el("h1", {}, say("title")), failed,
    el("button", { type: "button", onclick: () => location.reload() }, say("tryAgain"))));
  failed.append(say(key));
}

function signOut() {
  forgetSession();
  tell();
  const there = config.endSessionEndpoint && new URL(config.endSessionEndpoint);
  there?.searchParams.set("client_id", config.clientId);
  showSignIn(undefined, el("p", {}, el("strong", {}, say("signedOut"))),
    there && el("p", {}, say("signedOutThere"), " ", el("a", { href: there.href }, say("endSession"))));
}

function renewed(grant) {
  const isAnotherUser = startSession(grant);
  showHeader();
  if (isAnotherUser) showOverview(say("anotherUser"));
  else if (isOverviewShown()) showOverview(say("signedInAgainShort"));
  else tell(say("signedInAgainShort"));
}

async function signedIn() {
  try {
    startSession(await redeem(config, kept, answer));
  } catch (error) {
    console.error(error);
    return showSignIn(error.key ?? "signInFailed");
  }
  showHeader();
  return showOverview();
}

async function start() {
  startLanguage("en");
  showHeader();
  if (!isSecureContext) return showFault("insecure");
  const address = new URL("config.json", import.meta.url);
  const configured = await fetch(address, { cache: "no-store" }).catch(() => undefined);
  if (!configured?.ok) return showFault("configUnreachable");
  config = Object.freeze(await configured.json());
  startLanguage(config.language);
  onSessionEnd(() => {
    showHeader();
    askToSignInAgain(config, renewed, signOut);
  });
  if (!answer) return showSignIn();
  if (kept?.state === answer.state) return signedIn();
  if (!await handOver(answer)) return showSignIn("signInForeign");
  show(el("div", { class: "card welcome" }, el("h1", {}, say("signedInAgain")), el("p", {}, say("signedInAgainText"))));
  // Where the browser lets a page close its own tab.
  return close();
}

start();
