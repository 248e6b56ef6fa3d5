// Small questions in front of the page: a new name, and whether something is really to be deleted.

import { remove, rename } from "./api.js";
import { alertPlace, el, field, form, freshId } from "./elements.js";
import { explain } from "./faults.js";
import { say } from "./language.js";

/** A dialog with that title. It leaves the page when it closes, and the browser puts the focus back. */
export function dialog(title, ...children) {
  const heading = el("h2", { id: freshId("dialog") }, title);
  const made = el("dialog", { "aria-labelledby": heading.id, onclose: () => made.remove() }, heading, ...children);
  document.body.append(made);
  made.showModal();
  return made;
}

/** Asks with a form; `work` is done when it is sent, and then `done`. */
function ask(title, fields, label, kind, work, done) {
  const failed = alertPlace();
  const close = () => asked.close();
  const asked = dialog(title, form({}, async () => {
    failed.replaceChildren();
    await work();
    close();
    done();
  }, (error) => failed.replaceChildren(explain(error)),
  ...fields, failed,
  el("div", { class: "buttons" },
    el("button", { type: "submit", class: kind }, label),
    el("button", { type: "button", class: "quiet", onclick: close }, say("cancel")))));
  return asked;
}

export function askForName(item, done) {
  const input = el("input", { maxlength: "64", autocomplete: "off", value: item.label ?? "" });
  ask(say("renameTitle"), [field(say("name"), input)], say("save"), "primary",
    () => rename(item, input.value.trim()), done);
  input.select();
}

/** `name` is what the item is called on the page; `isLast`, that nothing else makes codes. */
export function askToDelete(item, name, isLast, done) {
  const texts = [el("p", {}, say("deleteText")), isLast && el("p", {}, el("strong", {}, say("deleteLast")))];
  const asked = ask(say("deleteTitle", { name }), texts, say("delete"), "danger", () => remove(item), done);
  // Not on what cannot be undone.
  asked.querySelector("button[type=button]").focus();
}
