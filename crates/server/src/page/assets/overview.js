// What the account has: authenticator apps, devices and PIN, each with what can be done about it, and what was done of late.

import { eventList } from "./activity.js";
import { listAuthenticators, listDevices, listEvents, pinAndPassword } from "./api.js";
import { askForName, askToDelete } from "./dialogs.js";
import { alertPlace, el, freshId, show, tell } from "./elements.js";
import { showConfirmation, showEnrolment } from "./enrol.js";
import { explain } from "./faults.js";
import { dateText, say, sayIn, t } from "./language.js";
import { showPin } from "./pin.js";
import { may, userName } from "./session.js";

/** Whether this view is on the page, which a new session may then load again without losing what somebody typed. */
let place;
export const isOverviewShown = () => place?.isConnected ?? false;

/** `said` is told once it is there. */
export async function showOverview(...said) {
  place = el("div", { class: "sections" }, el("p", { class: "hint" }, say("loading")));
  const name = userName();
  show(el("h1", {}, say("title")), name && el("p", { class: "lead" }, say("signedInAs", { name })), place);
  tell(...said);
  try {
    const [authenticators, devices, events, has] =
      await Promise.all([listAuthenticators(), listDevices(), listEvents(), proofs()]);
    place.replaceChildren(...sections(authenticators, devices, events, has));
  } catch (error) {
    const failed = alertPlace();
    place.replaceChildren(failed, button("tryAgain", () => showOverview()));
    failed.append(explain(error));
  }
}

/** Without the scopes to ask, both may be there. */
async function proofs() {
  const mayAsk = may("user:users.pin:check") && may("user:users.password:check");
  return mayAsk ? { isKnown: true, ...(await pinAndPassword()) } : { isKnown: false, pin: true, password: true };
}

function sections(authenticators, devices, events, has) {
  const isLive = (item) => item.state !== "pending";
  const live = [...authenticators, ...devices].filter(isLive).length;
  const item = (one) => itemOf(one, isLive(one) && live === 1);
  return [
    section("authenticators", list(authenticators.map(item), "authenticatorsNone"),
      button("addAuthenticator", () => showEnrolment(has, showOverview), "primary")),
    section("devices", list(devices.map(item), "devicesNone")),
    may("user:users.pin:update") && section("pinSection",
      has.isKnown && el("p", {}, say(has.pin ? "pinIsSet" : "pinIsNotSet")),
      button(has.isKnown && has.pin ? "pinChange" : "pinSet", () => showPin(showOverview))),
    events && section("activity", ...eventList(events, [...authenticators, ...devices])),
  ].filter(Boolean);
}

const button = (text, onclick, kind) => el("button", { type: "button", class: kind, onclick }, say(text));

function section(name, ...children) {
  const heading = el("h2", { id: freshId("section") }, say(name));
  const hint = el("p", { class: "hint" }, say(`${name}Hint`));
  return el("section", { class: "card", "aria-labelledby": heading.id }, heading, hint, ...children);
}

const list = (items, none) =>
  (items.length > 0 ? el("ul", { class: "items" }, items) : el("p", { class: "none" }, say(none)));

function itemOf(item, isLast) {
  const name = () => item.label ?? t("unnamed");
  const named = (text, onclick, kind) =>
    sayIn(button(text, onclick, `small ${kind}`), "aria-label", `${text}Named`, { name });
  const isPending = item.state === "pending";
  const isUsed = item.lastUsedAt ?? undefined;
  return el("li", {},
    el("div", { class: "about" },
      el("h3", {}, item.label ?? say("unnamed")),
      isPending && el("p", { class: "badge" }, say("pending")),
      el("p", { class: "hint" },
        item.createdAt && [say("added", { date: dateText(item.createdAt) }), el("br")],
        !isPending && (isUsed ? say("lastUsed", { date: dateText(isUsed) }) : say("neverUsed")))),
    el("div", { class: "buttons" },
      isPending && named("finish", () => showConfirmation(item, showOverview), "primary"),
      named("rename", () => askForName(item, () => showOverview(say("renamed"))), ""),
      may("user:device-totps:delete") &&
        named("delete", () => askToDelete(item, name, isLast, () => showOverview(say("deleted", { name }))), "danger")));
}
