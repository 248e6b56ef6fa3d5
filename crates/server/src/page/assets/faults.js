// What went wrong, in words for users. Decided by the API's codes, never by its texts.

import { Refusal } from "./api.js";
import { durationText, say } from "./language.js";

const TEXTS = {
  "proof-invalid": "failProof",
  "limit-reached": "failLimit",
  "not-found": "failGone",
  "pin-not-secure": "failPin",
  unavailable: "failUnavailable",
  unreachable: "failUnreachable",
  "session-ended": "failSession",
  "insufficient-scope": "failScope",
  "missing-linked-identity": "failLinked",
};

/** `own`: texts for codes that mean something else at this place. */
export function explain(error, own = {}) {
  if (!(error instanceof Refusal)) {
    console.error(error);
    return say("failUnexpected", { id: "–" });
  }
  const time = durationText(error.retryAfter ?? 60);
  if (own[error.code]) return say(own[error.code], { time });
  const isTooEarly = error.code === "throttled" || (error.code === "proof-invalid" && error.retryAfter);
  if (isTooEarly) return say("failTooMany", { time });
  return say(TEXTS[error.code] ?? "failUnexpected", { id: error.id ?? "–", limit: error.limit ?? "5" });
}
