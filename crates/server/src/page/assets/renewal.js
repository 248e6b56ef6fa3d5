// Signing in again in another tab, so that this one keeps what was typed. That tab hands the issuer's answer over a channel
// of this origin; it is of no use without the verifier, which never leaves this tab.

import { dialog } from "./dialogs.js";
import { alertPlace, el } from "./elements.js";
import { language, say } from "./language.js";
import { prepare, redeem } from "./sign-in.js";

const CHANNEL = "einmal.sign-in";
const HANDOVER_MILLISECONDS = 1500;

let open;

/** Asks until there is a new grant, which `renewed` gets. `giveUp` signs out. */
export async function askToSignInAgain(config, renewed, giveUp) {
  if (open?.open) return;
  const channel = new BroadcastChannel(CHANNEL);
  const failed = alertPlace();
  const link = el("a", { class: "button primary", target: "_blank", rel: "noopener" }, say("signInAgain"));
  let isOver = false;
  const end = (then) => {
    isOver = true;
    channel.close();
    open.close();
    then();
  };
  const out = el("button", { type: "button", class: "quiet", onclick: () => end(giveUp) }, say("signOut"));
  open = dialog(say("sessionEnded"), el("p", {}, say("sessionEndedText")), failed,
    el("div", { class: "buttons" }, link, out),
    el("p", { class: "hint" }, say("sessionEndedNewTab")));
  const asked = open;
  asked.addEventListener("cancel", (event) => event.preventDefault());
  // Browsers close it at a second Escape all the same.
  asked.addEventListener("close", () => { if (!isOver) end(giveUp); });
  let request = await prepare(config, language());
  link.href = request.url;
  link.focus();
  channel.onmessage = async ({ data: { answer } }) => {
    if (answer?.state !== request.pending.state) return;
    channel.postMessage({ taken: answer.state });
    try {
      const grant = await redeem(config, request.pending, answer);
      // They signed out meanwhile.
      if (isOver) return;
      end(() => renewed(grant));
    } catch (error) {
      if (isOver) return;
      failed.replaceChildren(say(error.key ?? "signInFailed"));
      request = await prepare(config, language());
      link.href = request.url;
    }
  };
}

/** Whether another tab has taken the answer. */
export function handOver(answer) {
  const channel = new BroadcastChannel(CHANNEL);
  return new Promise((resolve) => {
    const end = (isTaken) => {
      channel.close();
      resolve(isTaken);
    };
    const timer = setTimeout(() => end(false), HANDOVER_MILLISECONDS);
    channel.onmessage = ({ data }) => {
      if (data.taken !== answer.state) return;
      clearTimeout(timer);
      end(true);
    };
    channel.postMessage({ answer });
  });
}
