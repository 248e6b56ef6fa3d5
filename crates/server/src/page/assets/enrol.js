// Adds an authenticator app in two steps: show that it is you, then connect the app and confirm with its first code.

import { beginAuthenticator, confirmAuthenticator, listAuthenticators, qrCodeOf, remove } from "./api.js";
import { clockOffset } from "./clock-check.js";
import { alertPlace, digitsInput, el, field, form, show, tell } from "./elements.js";
import { explain } from "./faults.js";
import { durationText, say, sayIn } from "./language.js";
import { proofFields } from "./proof.js";

const MOST_WRONG = 5;

/** `has`: which proofs the account has; `back` shows the overview and may be told something. */
export function showEnrolment(has, back, name = "") {
  tell();
  const label = el("input", { maxlength: "64", autocomplete: "off", value: name });
  const proof = proofFields(has);
  const failed = alertPlace();
  const begin = async () => {
    failed.replaceChildren();
    const begun = await beginAuthenticator(proof.read(), label.value.trim());
    showConfirmation(begun, back, () => showEnrolment(has, back, label.value));
  };
  const refused = (error) => {
    failed.replaceChildren(explain(error));
    if (error.code === "proof-invalid") proof.clear();
  };
  show(step(1, "enrolTitle"), el("div", { class: "card" }, el("p", {}, say("enrolText")), form({}, begin, refused,
    proof.node, field(say("enrolName"), label, say("enrolNameHint")), failed,
    buttons("continue", () => back()))));
}

const step = (number, title) =>
  el("div", { class: "heading" }, el("p", { class: "step" }, say("step", { step: number })), el("h1", {}, say(title)));

const buttons = (text, cancel) => el("div", { class: "buttons" },
  el("button", { type: "submit", class: "primary" }, say(text)),
  el("button", { type: "button", class: "quiet", onclick: cancel }, say("cancel")));

/** `begun` has its key if it was begun just now; of an earlier one only the image is to be had. */
export function showConfirmation(begun, back, again) {
  const code = digitsInput();
  const failed = alertPlace();
  let wrong = 0;
  const confirm = async () => {
    failed.replaceChildren();
    const adjusted = await confirmAuthenticator(begun.id, code.value);
    await back(adjusted ? say("enrolledAdjusted", adjusted) : say("enrolled"));
  };
  const refused = async (error) => {
    if (error.code === "not-found") return await isConfirmed(begun.id) ? back(say("enrolled")) : showGone(back, again);
    if (error.code !== "proof-invalid") return failed.replaceChildren(explain(error));
    // What cannot be a code is not counted there either.
    if (/^[0-9]{6,8}$/.test(code.value.replaceAll(/[ -]/g, ""))) wrong += 1;
    failed.replaceChildren(...(await hints(begun, code.value, error, wrong)));
    return code.select();
  };
  // What is not finished is not left behind: another one could be begun from its image.
  const cancel = () => remove(begun).catch(() => {}).then(() => back());
  show(step(2, "scanTitle"), el("div", { class: "card" },
    el("p", {}, say("scanText")), image(begun), byHand(begun),
    form({}, confirm, refused, field(say("scanCode"), code), failed, buttons("confirm", cancel))));
}

/** An answer that got lost on the way may have been a yes. */
const isConfirmed = async (id) =>
  (await listAuthenticators().catch(() => [])).some((one) => one.id === id && one.state === "confirmed");

async function hints(begun, code, { serverSeconds, clockOffsetSeconds, appUses }, wrong) {
  const left = Math.max(MOST_WRONG - wrong, 0);
  // The service looks at some minutes only, and without the key this page at nothing.
  const offset = clockOffsetSeconds ?? (await clockOffset(begun, code, serverSeconds));
  if (appUses && !offset) return [say("confirmOtherKind", { ...appUses, left })];
  if (offset && Math.abs(offset) >= 2 * begun.period) {
    const time = durationText(Math.abs(offset));
    return [say(offset > 0 ? "clockAhead" : "clockBehind", { time, left })];
  }
  return [say("confirmWrong", { left }), ...(wrong > 1 ? [" ", say("confirmTwice")] : [])];
}

/** As big as a camera likes it, on white in the dark, too. */
function image(begun) {
  const place = el("div", { class: "qr" }, el("p", { class: "hint" }, say("loading")));
  qrCodeOf(begun.id).then(async (blob) => {
    const url = URL.createObjectURL(blob);
    const shown = sayIn(el("img", { src: url, width: "240", height: "240" }), "alt", "qrCode");
    await shown.decode().finally(() => URL.revokeObjectURL(url));
    place.replaceChildren(shown);
  }).catch((error) => {
    const failed = alertPlace();
    place.replaceChildren(failed);
    failed.append(explain(error));
  });
  return place;
}

function byHand({ uri, secret, digits, period }) {
  if (!secret) return undefined;
  const key = el("code", { class: "key", tabindex: "0" }, secret.match(/.{1,4}/g).join(" "));
  const said = el("p", { class: "hint", role: "status" });
  const copy = el("button", { type: "button", class: "small", onclick: async () => {
    try {
      await navigator.clipboard.writeText(secret);
      said.replaceChildren(say("copied"));
    } catch {
      getSelection().selectAllChildren(key);
      said.replaceChildren(say("copyFailed"));
    }
  } }, say("copy"));
  return [
    el("p", { class: "open" }, el("a", { href: uri }, say("openApp"))),
    el("details", {}, el("summary", {}, say("byHand")),
      el("div", { class: "by-hand" }, key, copy),
      el("p", { class: "hint" }, say("keyKinds", { digits, period })), said),
  ];
}

function showGone(back, again = back) {
  const failed = alertPlace();
  show(step(2, "scanTitle"), el("div", { class: "card" }, failed,
    el("div", { class: "buttons" },
      el("button", { type: "button", class: "primary", onclick: () => again() }, say("beginAgain")),
      el("button", { type: "button", class: "quiet", onclick: () => back() }, say("cancel")))));
  failed.append(say("confirmGone"));
}
