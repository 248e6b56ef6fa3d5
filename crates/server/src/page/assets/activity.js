// What was done to the account of late, so that its owner sees what somebody else has done.

import { el } from "./elements.js";
import { bind, dateText, say, t } from "./language.js";

/** So many are shown at once; the others unfold. */
const SHOWN = 4;

/** `items`: what is still there, and so has a name. */
export function eventList(events, items) {
  if (events.length === 0) return [el("p", { class: "none" }, say("activityNone"))];
  const list = (some) => el("ul", { class: "events" }, some.map((event) => eventOf(event, items)));
  const rest = events.slice(SHOWN);
  return [
    list(events.slice(0, SHOWN)),
    rest.length > 0 && el("details", { class: "earlier" }, el("summary", {}, say("activityEarlier")), list(rest)),
  ].filter(Boolean);
}

function eventOf({ event, at, credential }, items) {
  const name = items.find((item) => item.id === credential)?.label;
  return el("li", {},
    el("span", {}, said(event), name && `: ${name}`),
    el("time", { class: "hint", datetime: at }, bind(document.createTextNode(""), (node) => { node.data = dateText(at)(); })));
}

/** A newer server may tell of something that this page has no words for. */
const said = (event) => bind(document.createTextNode(""), (node) => {
  try {
    node.data = t(`event_${event}`);
  } catch {
    node.data = event;
  }
});
