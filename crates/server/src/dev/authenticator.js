// An authenticator app of one's own on the page of `einmal dev`: a QR code to scan, and a field for what the app shows.

const place = (id) => document.getElementById(id);
const form = place("confirm");
const outcome = place("own-outcome");

/** The authenticator that was begun last, be it here or by a card. */
export let begun;

/** Looks whether an answer has begun one. */
export function notice(document) {
  const attributes = document?.data?.attributes;
  if (attributes?.state === "pending" && attributes.secret) begun = { id: document.data.id, ...attributes };
}

export async function imageOf(answer) {
  const url = URL.createObjectURL(await answer.blob());
  const image = Object.assign(new Image(), { src: url, alt: "QR code to scan with an authenticator app" });
  await image.decode().finally(() => URL.revokeObjectURL(url));
  return image;
}

/** `request` sends an example, by the name of its operation and with its own or another body. */
export function offer(request) {
  const asked = (work) => async (event) => {
    event.preventDefault();
    try {
      outcome.textContent = await work();
    } catch (error) {
      outcome.textContent = `No answer: ${error.message}`;
    }
  };
  place("begin").addEventListener("click", asked(async () => {
    const made = await request("CreateAuthenticator");
    if (made.status !== 201) return `${made.status}: see CreateAuthenticator below.`;
    notice(await made.json());
    place("qr").replaceChildren(await imageOf(await request("ShowAuthenticatorQR")));
    place("uri").href = begun.uri;
    place("secret").textContent = begun.secret;
    place("own-code").value = "";
    form.hidden = false;
    return "";
  }));
  form.addEventListener("submit", asked(async () => {
    const answer = await request("ConfirmAuthenticator", JSON.stringify({ otp: place("own-code").value }));
    // Live, or dead of wrong codes: there is nothing to scan any more.
    form.hidden = answer.ok || answer.status === 404;
    if (answer.status === 204) return "204: its codes are good from now on, the next one first.";
    if (answer.ok) {
      const { algorithm, digits, period } = (await answer.json()).meta.adjusted;
      return `${answer.status}: the same, and the app uses ${algorithm}, ${digits} digits, ${period} s, which was stored.`;
    }
    return `${answer.status}: ${(await answer.json()).errors[0].title}`;
  }));
}
