// The page of `einmal dev`. It knows no operation: all of them come from /dev/examples.

const place = (id) => document.getElementById(id);
const created = place("created");

async function showCodes() {
  const codes = await (await fetch("/dev/codes")).json();
  place("device").textContent = codes.device;
  place("app").textContent = codes.app;
  place("seconds-left").textContent = codes.secondsLeft;
  return codes;
}

/** With the codes that are live at this moment, whatever is still on the screen. */
async function filledIn(text) {
  const codes = await showCodes();
  const mailed = text.includes("{mailed}") ? await mailedCode() : "";
  return text
    .replaceAll("{device}", codes.device)
    .replaceAll("{app}", codes.app)
    .replaceAll("{created}", created.textContent)
    .replaceAll("{mailed}", mailed);
}

async function mailedCode() {
  const answer = await fetch("/dev/mailbox/latest");
  return answer.ok ? (await answer.json()).code : "none";
}

async function send(example, body) {
  const token = await (await fetch(example.token)).text();
  const headers = { Authorization: `Bearer ${token}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(example.path, { method: example.method, headers, body });
  const text = await answer.text();
  // An account that was made is 201, too, but no code.
  const code = answer.status === 201 && JSON.parse(text).otp;
  if (typeof code === "string") created.textContent = code;
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
  body?.setAttribute("aria-label", `Body of ${name}`);
  button.setAttribute("aria-label", `Send ${name}`);
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      answer.textContent = await send(example, body && (await filledIn(body.value)));
    } catch (error) {
      answer.textContent = `No answer: ${error.message}`;
    } finally {
      button.disabled = false;
    }
  });
  article.append(element("h3", name), element("p", `${example.title} Answer: ${example.status}.`));
  if (body) article.append(body);
  article.append(button, answer);
  return article;
}

place("examples").append(...(await (await fetch("/dev/examples")).json()).map(card));
for (;;) {
  await showCodes().catch(() => (place("seconds-left").textContent = "no answer"));
  await new Promise((resolve) => setTimeout(resolve, 1000));
}
