// How users show that it is them: a code of any kind, a PIN or a password. Nothing typed here outlives the view.

import { mailCode } from "./api.js";
import { alertPlace, busy, digitsInput, el, field, freshId } from "./elements.js";
import { explain } from "./faults.js";
import { durationText, say } from "./language.js";
import { may } from "./session.js";

/** A field for a code, and a button that has one mailed. */
export function codeField() {
  const input = digitsInput();
  const node = el("div", {}, field(say("code"), input, say("codeHint")));
  if (may("user:otp:create")) node.append(mailButton(input));
  return { node, input };
}

function mailButton(input) {
  const said = el("p", { class: "hint", role: "status" });
  const failed = alertPlace();
  const button = el("button", { type: "button", class: "quiet", onclick: () => busy(button, async () => {
    said.replaceChildren();
    failed.replaceChildren();
    try {
      const wait = await mailCode();
      said.replaceChildren(wait ? say("mailSentBefore", { time: durationText(wait) }) : say("mailSent"));
      input.focus();
    } catch (error) {
      failed.replaceChildren(explain(error, { "not-set": "mailNone", throttled: "mailTooMany" }));
    }
  }) }, say("mailCode"));
  return el("div", { class: "mail" }, button, said, failed);
}

const labelled = (label, input) => ({ node: field(say(label), input), input });
const pinField = () => labelled("pin", digitsInput({ type: "password", maxlength: "4", autocomplete: "off" }));
const passwordField = () => labelled("password",
  el("input", { type: "password", autocomplete: "current-password", maxlength: "1024", required: true }));

/** One of those that the account has: `has` says whether there is a PIN, and a password. */
export function proofFields(has) {
  const kinds = {
    otp: { text: "proofOtp", make: codeField },
    pin: has.pin && { text: "proofPin", make: pinField },
    password: has.password && { text: "proofPassword", make: passwordField },
  };
  const offered = Object.keys(kinds).filter((kind) => kinds[kind]);
  const place = el("div", {});
  let chosen;
  const choose = (kind) => {
    chosen = { kind, ...kinds[kind].make() };
    place.replaceChildren(chosen.node);
  };
  choose("otp");
  const name = freshId("proof");
  const choices = offered.map((kind) => el("label", { class: "choice" },
    el("input", { type: "radio", name, value: kind, checked: kind === "otp", onchange: () => choose(kind) }),
    el("span", {}, say(kinds[kind].text))));
  const group = offered.length > 1 &&
    el("fieldset", {}, el("legend", {}, say("proof")), el("div", { class: "choices" }, choices));
  return {
    node: el("div", {}, group, place),
    read: () => ({ [chosen.kind]: chosen.input.value }),
    /** For the next try. */
    clear() {
      chosen.input.value = "";
      chosen.input.focus();
    },
  };
}
