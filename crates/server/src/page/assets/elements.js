// Makes elements. Text only ever becomes text: nothing here, or anywhere on this page, reads HTML.

/** Values that are functions listen: `onclick`. `true` is an attribute without a value; false and absent ones are none. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== undefined && value !== null) made.setAttribute(key, value);
  }
  made.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
  return made;
}

let last = 0;
export const freshId = (name) => `${name}-${++last}`;

/** A field with its label above it and a hint below, which is read with it. */
export function field(label, input, hint) {
  input.id ||= freshId("field");
  if (!hint) return el("div", { class: "field" }, el("label", { for: input.id }, label), input);
  const described = el("p", { class: "hint", id: `${input.id}-hint` }, hint);
  input.setAttribute("aria-describedby", described.id);
  return el("div", { class: "field" }, el("label", { for: input.id }, label), input, described);
}

/** A field for a code or a PIN: digits, which a phone has a keyboard for. */
export const digitsInput = (attributes = {}) =>
  el("input", { class: "code", inputmode: "numeric", autocomplete: "one-time-code", maxlength: "64", required: true, ...attributes });

/** A place for what went wrong, which is read out at once. */
export const alertPlace = () => el("p", { class: "alert", role: "alert" });

/** Runs `work` with the button out of use. What `work` throws is for the caller. */
export async function busy(button, work) {
  if (button.getAttribute("aria-disabled") === "true") return undefined;
  // It keeps the focus, which a disabled one would lose.
  button.setAttribute("aria-disabled", "true");
  try {
    return await work();
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

/** A form that sends nothing by itself: `submit` does, and what it throws goes to `failed`. */
export function form(attributes, submit, failed, ...children) {
  const made = el("form", { ...attributes, onsubmit: async (event) => {
    event.preventDefault();
    const button = made.querySelector("button[type=submit]");
    await busy(button, async () => {
      try {
        await submit();
      } catch (error) {
        await failed(error);
      }
    });
  } }, ...children);
  return made;
}

const main = document.getElementById("main");
const notice = document.getElementById("notice");

/** Puts a view on the page and the focus on its heading, so that whoever does not see it hears where they are. */
export function show(...nodes) {
  main.replaceChildren(...nodes);
  const heading = main.querySelector("h1");
  heading?.setAttribute("tabindex", "-1");
  heading?.focus({ preventScroll: true });
  scrollTo(0, 0);
}

let fading;
/** Says what was done, in passing. */
export function tell(...nodes) {
  clearTimeout(fading);
  notice.replaceChildren(...nodes);
  notice.classList.toggle("is-shown", nodes.length > 0);
  if (nodes.length > 0) fading = setTimeout(() => tell(), 8000);
}
