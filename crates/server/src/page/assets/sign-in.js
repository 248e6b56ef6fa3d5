// Signing in at the issuer: authorization code with PKCE (RFC 7636), state and nonce. Between leaving this page and coming
// back only what makes an answer ours is kept, in this tab; the token never is.

const KEPT = "einmal.sign-in";
export const redirectUri = new URL("../account", import.meta.url).href;

const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

/** Where to sign in, and what the answer will be compared with. */
export async function prepare(config, language) {
  const pending = { state: random(), nonce: random(), verifier: random() };
  const challenge = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(pending.verifier));
  const url = new URL(config.authorizationEndpoint);
  const parameters = {
    response_type: "code",
    client_id: config.clientId,
    redirect_uri: redirectUri,
    scope: config.scopes.join(" "),
    state: pending.state,
    nonce: pending.nonce,
    code_challenge: base64url(new Uint8Array(challenge)),
    code_challenge_method: "S256",
    ui_locales: language,
    ...(config.resource && { resource: config.resource }),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return { url: url.href, pending };
}

/** For when this tab comes back. */
export const keep = (pending) => sessionStorage.setItem(KEPT, JSON.stringify(pending));

/** What was kept, once. */
export function takeKept() {
  try {
    const text = sessionStorage.getItem(KEPT);
    sessionStorage.removeItem(KEPT);
    return text ? JSON.parse(text) : undefined;
  } catch {
    // A browser that keeps nothing: signing in will say that it did not work.
    return undefined;
  }
}

/** The issuer's answer, if this page was opened with one. It leaves the address, and with it the history, at once. */
export function takeAnswer() {
  const query = new URLSearchParams(location.search);
  if (location.search || location.hash) history.replaceState(null, "", location.pathname);
  const answer = Object.fromEntries(["code", "state", "iss", "error"].map((name) => [name, query.get(name)]));
  return answer.code || answer.error ? answer : undefined;
}

export class SignInFault extends Error {
  /** `key` names the text that tells the user. */
  constructor(key, reason) {
    super(reason);
    this.key = key;
  }
}

/** The token for the answer, which must be the one to what is pending. */
export async function redeem(config, pending, answer) {
  // RFC 9207: who says it is another issuer is.
  if (answer.state !== pending.state || (answer.iss ?? config.issuer) !== config.issuer) {
    throw new SignInFault("signInForeign", "state or iss");
  }
  if (!answer.code) {
    throw new SignInFault(answer.error === "access_denied" ? "signInDenied" : "signInFailed", answer.error);
  }
  const body = new URLSearchParams({
    grant_type: "authorization_code",
    code: answer.code,
    redirect_uri: redirectUri,
    client_id: config.clientId,
    code_verifier: pending.verifier,
    ...(config.resource && { resource: config.resource }),
  });
  const begun = performance.now();
  const response = await fetch(config.tokenEndpoint, {
    method: "POST", body, cache: "no-store", credentials: "omit", redirect: "error",
  }).catch((error) => { throw new SignInFault("signInUnreachable", error.message); });
  const answered = await response.json().catch(() => ({}));
  if (!response.ok || !answered.access_token || answered.token_type?.toLowerCase() !== "bearer") {
    throw new SignInFault("signInFailed", answered.error ?? `status ${response.status}`);
  }
  const claims = identity(config, pending, answered.id_token);
  return {
    token: answered.access_token,
    // Absent: until it is refused. Counted from before the answer, so that it is never believed for too long.
    endsAt: answered.expires_in > 0 ? begun + answered.expires_in * 1000 : undefined,
    scopes: (answered.scope ?? config.scopes.join(" ")).split(" "),
    subject: claims.sub,
    name: [claims.name, claims.preferred_username, claims.email].find((name) => typeof name === "string" && name),
  };
}

/** OpenID Connect Core 3.1.3.7. It came straight from the token endpoint, so TLS stands for the signature and the nonce for
 * its freshness; the clock of this device is not asked, for it may be what is wrong. */
function identity(config, pending, idToken) {
  let claims = {};
  try {
    const payload = atob(idToken.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(payload, (character) => character.charCodeAt(0));
    claims = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    // Then nothing below is right.
  }
  const isOurs = claims.iss === config.issuer && claims.nonce === pending.nonce && typeof claims.sub === "string" &&
    [claims.aud].flat().includes(config.clientId) && (claims.azp ?? config.clientId) === config.clientId;
  if (!isOurs) throw new SignInFault("signInFailed", "ID token");
  return claims;
}
