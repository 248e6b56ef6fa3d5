// Who is signed in. The token is here, in memory, and nowhere else: it is gone with the page.

let current;
let timer;
let onEnd = () => {};

/** `ended` is called when the token is good no more. */
export function onSessionEnd(ended) {
  onEnd = ended;
}

export function startSession(grant) {
  const isAnotherUser = current !== undefined && current.subject !== grant.subject;
  current = grant;
  clearTimeout(timer);
  if (grant.endsAt !== undefined) {
    // A timer that is set for later than that fires at once.
    timer = setTimeout(sessionEnded, Math.min(Math.max(grant.endsAt - performance.now(), 0), 2 ** 31 - 1));
  }
  return isAnotherUser;
}

/** The token was refused, or its time is over. Who it was stays known, to tell whether the same user comes back. */
export function sessionEnded() {
  if (!current?.token) return;
  clearTimeout(timer);
  current = { ...current, token: undefined };
  onEnd();
}

export function forgetSession() {
  clearTimeout(timer);
  current = undefined;
}

export const token = () => current?.token;
export const userName = () => current?.name;
export const may = (scope) => current?.scopes.includes(scope) ?? false;
