// Sets the PIN, against a code. Its rules are shown while it is typed.

import { setPin } from "./api.js";
import { alertPlace, digitsInput, el, field, form, show, tell } from "./elements.js";
import { explain } from "./faults.js";
import { bind, say, t } from "./language.js";
import { isSecure, RULES } from "./pin-rules.js";
import { codeField } from "./proof.js";

/** `back` shows the overview and may be told something. */
export function showPin(back) {
  tell();
  const pin = digitsInput({ type: "password", maxlength: "4", autocomplete: "new-password" });
  const rules = ruleList(pin);
  const code = codeField();
  const failed = alertPlace();
  const isShown = el("input", { type: "checkbox", onchange: () => { pin.type = isShown.checked ? "text" : "password"; } });
  const send = async () => {
    failed.replaceChildren();
    if (!isSecure(pin.value)) {
      failed.replaceChildren(say("failPin"));
      return pin.focus();
    }
    await setPin(pin.value, code.input.value);
    return back(say("pinDone"));
  };
  const refused = (error) => {
    failed.replaceChildren(explain(error));
    if (error.code === "proof-invalid") {
      code.input.value = "";
      code.input.focus();
    }
  };
  show(el("h1", {}, say("pinTitle")), el("div", { class: "card" }, form({}, send, refused,
    field(say("pinNew"), pin), el("label", { class: "choice" }, isShown, el("span", {}, say("pinShow"))),
    ...rules, code.node, failed,
    el("div", { class: "buttons" },
      el("button", { type: "submit", class: "primary" }, say("pinSet")),
      el("button", { type: "button", class: "quiet", onclick: () => back() }, say("cancel"))))));
}

/** Each rule with a sign for eyes; for ears one sentence when there is a whole PIN, not one for each key. */
function ruleList(pin) {
  const items = RULES.map((rule) => {
    const state = bind(el("span", { class: "unseen" }), (node) => {
      node.textContent = ` (${t(rule.isKept(pin.value) ? "pinRuleKept" : "pinRuleBroken")})`;
    });
    return { rule, state, node: el("li", {}, say(rule.text), state) };
  });
  const verdict = el("p", { class: "unseen", role: "status" });
  const update = () => {
    for (const { rule, state, node } of items) {
      const isKept = rule.isKept(pin.value);
      node.classList.toggle("is-kept", isKept);
      state.textContent = ` (${t(isKept ? "pinRuleKept" : "pinRuleBroken")})`;
    }
    const broken = RULES.filter((rule) => !rule.isKept(pin.value)).map((rule) => t(rule.text)).join(", ");
    verdict.textContent = pin.value.length < 4 ? "" : broken ? t("pinBad", { rules: broken }) : t("pinGood");
  };
  pin.addEventListener("input", update);
  const list = el("ul", { class: "rules" }, items.map(({ node }) => node));
  return [el("p", { class: "hint rules-title" }, say("pinRules")), list, verdict];
}
