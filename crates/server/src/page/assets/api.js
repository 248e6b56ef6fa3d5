// The public API, as any client uses it: one function an operation.

import { sessionEnded, token } from "./session.js";

const BASE = new URL("../user/2025-1/user/", import.meta.url);
const JSON_API = "application/vnd.api+json";
const JSON_ALONE = "application/json";

/** An answer that is no success. `code` is the API's, or "unreachable", "session-ended" or "unknown". */
export class Refusal extends Error {
  constructor(code, answer, error) {
    super(code);
    this.code = code;
    this.status = answer?.status;
    this.id = error?.id ?? answer?.headers.get("Request-Id");
    this.limit = error?.meta?.limit;
    this.clockOffsetSeconds = error?.meta?.clockOffsetSeconds;
    this.appUses = error?.meta?.appUses;
    this.retryAfter = Number(answer?.headers.get("Retry-After")) || undefined;
    /** The server's clock, which is the one that counts. */
    this.serverSeconds = Date.parse(answer?.headers.get("Date")) / 1000;
  }
}

async function send(method, path, { body, type = JSON_API, accept = JSON_API, key } = {}) {
  const bearer = token();
  if (!bearer) throw new Refusal("session-ended");
  const headers = { Authorization: `Bearer ${bearer}`, Accept: accept };
  if (body) headers["Content-Type"] = type;
  if (key) headers["Idempotency-Key"] = key;
  const request = () => fetch(new URL(path, BASE), {
    method, headers, body: body && JSON.stringify(body), cache: "no-store", credentials: "omit", redirect: "error",
  });
  // With a key a request whose answer got lost can be sent once more, and consumes nothing twice.
  const answer = await request().catch(() => (key ? request() : Promise.reject())).catch(() => {
    throw new Refusal("unreachable");
  });
  if (answer.ok) return answer;
  const document = await answer.json().catch(() => ({}));
  const error = document.errors?.[0];
  if (error?.code === "token-expired" || error?.code === "token-invalid") {
    sessionEnded();
    throw new Refusal("session-ended", answer, error);
  }
  throw new Refusal(error?.code ?? "unknown", answer, error);
}

const resource = (type, attributes) => ({ data: { type, attributes } });
const data = async (answer) => (await answer.json()).data;
const flat = ({ type, id, attributes }) => ({ type, id, ...attributes });
const PATHS = { authenticator: "authenticators", deviceTOTP: "devices/totp" };

export const listAuthenticators = async () => (await data(await send("GET", PATHS.authenticator))).map(flat);
export const listDevices = async () => (await data(await send("GET", PATHS.deviceTOTP))).map(flat);
/** `undefined` from a server that is older than this page and keeps none, as while servers are replaced one by one. */
export const listEvents = async () => {
  const answer = await send("GET", "events").catch((error) => (error.status === 404 ? undefined : Promise.reject(error)));
  return answer && (await data(answer)).map(flat);
};

/** `proof` is `{ otp }`, `{ pin }` or `{ password }`. */
export const beginAuthenticator = async (proof, label) =>
  flat(await data(await send("POST", PATHS.authenticator, { body: resource("authenticator", { ...proof, label }) })));

export const qrCodeOf = async (id) =>
  (await send("GET", `${PATHS.authenticator}/${id}/qr`, { accept: "image/svg+xml" })).blob();

/** How the app uses its key, if that is not what it was told. */
export const confirmAuthenticator = async (id, otp) => {
  const path = `${PATHS.authenticator}/${id}/confirm`;
  const answer = await send("POST", path, { body: { otp }, type: JSON_ALONE, accept: JSON_API });
  return answer.status === 200 ? (await answer.json()).meta?.adjusted : undefined;
};

export const rename = ({ type, id }, label) =>
  send("PATCH", `${PATHS[type]}/${id}`, { body: resource(type, { label }) });

export const remove = ({ type, id }) => send("DELETE", `${PATHS[type]}/${id}`);

export const setPin = (pin, otp) =>
  send("PUT", "pin", { body: resource("pin", { pin, otp }), key: crypto.randomUUID() });

/** `{ pin, password }`: whether there is one. */
export const pinAndPassword = async () => (await send("GET", "pin-or-password", { accept: JSON_ALONE })).json();

/** Seconds until another mail can be sent, if this one was not. */
export const mailCode = async () => {
  const answer = await send("POST", "otp/sendmail", { accept: JSON_ALONE });
  return Number(answer.headers.get("Retry-After")) || undefined;
};
