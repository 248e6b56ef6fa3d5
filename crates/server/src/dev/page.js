// The page of `einmal dev`. It knows no operation: all of them come from /dev/examples.

import { begun, imageOf, notice, offer } from "/dev/authenticator.js";

const place = (id) => document.getElementById(id);
const created = place("created");

async function showCodes() {
  const query = begun ? `?${new URLSearchParams({ secret: begun.secret })}` : "";
  const codes = await (await fetch(`/dev/codes${query}`)).json();
  place("device").textContent = codes.device;
  place("app").textContent = codes.app;
  place("seconds-left").textContent = codes.secondsLeft;
  return codes;
}

/** With the codes that are live at this moment, whatever is still on the screen. */
async function filledIn(text) {
  if (/\{(authenticator|new)\}/.test(text) && !begun) throw new Error("begin an authenticator first");
  const codes = await showCodes();
  const mailed = text.includes("{mailed}") ? await mailedCode() : "";
  return text
    .replaceAll("{authenticator}", begun?.id)
    .replaceAll("{new}", codes.new)
    .replaceAll("{device}", codes.device)
    .replaceAll("{app}", codes.app)
    .replaceAll("{created}", created.textContent)
    .replaceAll("{mailed}", mailed);
}

async function mailedCode() {
  const answer = await fetch("/dev/mailbox/latest");
  return answer.ok ? (await answer.json()).code : "none";
}

async function request(example, body) {
  const token = await (await fetch(example.token)).text();
  const headers = { Authorization: `Bearer ${token}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const path = await filledIn(example.path);
  return fetch(path, { method: example.method, headers, body: body && (await filledIn(body)) });
}

/** The answer as a text, and what is to be seen of it besides. */
async function send(example, body) {
  const answer = await request(example, body);
  const isImage = answer.headers.get("Content-Type")?.startsWith("image/");
  const text = isImage ? "" : await answer.text();
  // An account that was made is 201, too, but no code.
  const document = answer.status === 201 ? JSON.parse(text) : {};
  if (typeof document.otp === "string") created.textContent = document.otp;
  notice(document);
  return [textOf(answer, text), ...(isImage ? [await imageOf(answer)] : [])];
}

function textOf(answer, text) {
  return [`${answer.status}`, ...[...answer.headers].map(([name, value]) => `${name}: ${value}`), "", pretty(text)]
    .join("\n")
    .trimEnd();
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function element(name, text, attributes = {}) {
  const made = Object.assign(document.createElement(name), attributes);
  made.textContent = text;
  return made;
}

function card(example) {
  const name = `${example.operation}: ${example.method} ${example.path}`;
  const article = element("article", "");
  const body = example.body === undefined ? undefined : element("textarea", example.body, { rows: 2, spellcheck: false });
  const button = element("button", "Send", { type: "button" });
  const answer = element("pre", "", { role: "status" });
  const image = element("div", "");
  body?.setAttribute("aria-label", `Body of ${name}`);
  button.setAttribute("aria-label", `Send ${name}`);
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const [text, ...images] = await send(example, body?.value);
      image.replaceChildren(...images);
      answer.textContent = text;
    } catch (error) {
      answer.textContent = `No answer: ${error.message}`;
    } finally {
      button.disabled = false;
    }
  });
  article.append(element("h3", name), element("p", `${example.title} Answer: ${example.status}.`));
  if (body) article.append(body);
  article.append(button, answer, image);
  return article;
}

const examples = await (await fetch("/dev/examples")).json();
place("examples").append(...examples.map(card));
offer((operation, body) => {
  const example = examples.find((one) => one.operation === operation);
  return request(example, body ?? example.body);
});
for (;;) {
  await showCodes().catch(() => (place("seconds-left").textContent = "no answer"));
  await new Promise((resolve) => setTimeout(resolve, 1000));
}
