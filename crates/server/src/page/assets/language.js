// The language of the page: the browser's if it is spoken here, until the user chooses the other one. Texts that are on the
// page change in place, so that nothing that was typed is lost.

import { TEXTS } from "./texts.js";

const KEPT = "einmal.language";
let current = "en";
/** Every node with text of ours, and how it gets it. */
const bound = new Set();

export const languages = Object.keys(TEXTS);
export const language = () => current;

/** `fallback` is for browsers that ask for none of ours. */
export function startLanguage(fallback) {
  const wanted = [kept(), ...navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase()), fallback];
  use(wanted.find((name) => languages.includes(name)) ?? "en");
}

export function chooseLanguage(name) {
  try {
    localStorage.setItem(KEPT, name);
  } catch {
    // It is not kept then.
  }
  use(name);
}

function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return undefined;
  }
}

function use(name) {
  current = name;
  document.documentElement.lang = name;
  document.title = t("title");
  for (const one of bound) {
    one.update(one.node);
    // Of a view that is gone.
    if (!one.node.isConnected) bound.delete(one);
  }
}

/** The text with `{name}` filled in from `values`; those that are functions are asked now, in the current language. */
export function t(key, values = {}) {
  return TEXTS[current][key].replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === "function" ? value() : value;
  });
}

/** `update` gets the node whenever the language changes, and now. */
export function bind(node, update) {
  update(node);
  bound.add({ node, update });
  return node;
}

/** A node with that text. */
export const say = (key, values) => bind(document.createTextNode(""), (node) => { node.data = t(key, values); });

/** The element with an attribute in the current language. */
export const sayIn = (element, attribute, key, values) =>
  bind(element, (element) => element.setAttribute(attribute, t(key, values)));

export const dateText = (iso) => () =>
  new Intl.DateTimeFormat(current, { dateStyle: "medium", timeStyle: "short" }).format(new Date(iso));

/** Seconds as people say them. */
export const durationText = (seconds) => () => {
  const units = [["hour", 3600], ["minute", 60], ["second", 1]];
  // From one and a half of it.
  const [unit, length] = units.find(([, length]) => seconds >= 1.5 * length) ?? units.at(-1);
  return new Intl.NumberFormat(current, { style: "unit", unit, unitDisplay: "long" }).format(Math.ceil(seconds / length));
};
