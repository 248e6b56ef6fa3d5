// Finds out whether a code was wrong only because the clock of the app is: its key is still on this page, so the page can
// look which time would have shown the code. The service is not asked, and looks at a few steps only.

const FURTHEST_SECONDS = 24 * 60 * 60;

function bytesOfBase32(text) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...text].map((character) => alphabet.indexOf(character).toString(2).padStart(5, "0")).join("");
  return Uint8Array.from(bits.match(/.{8}/g), (byte) => parseInt(byte, 2));
}

/** RFC 4226 section 5.3. */
async function codeAt(key, step, digits) {
  const counter = new DataView(new ArrayBuffer(8));
  counter.setBigUint64(0, BigInt(step));
  const mac = new DataView(await crypto.subtle.sign("HMAC", key, counter));
  const offset = mac.getUint8(mac.byteLength - 1) & 15;
  const number = mac.getUint32(offset) & 0x7fffffff;
  return String(number % 10 ** digits).padStart(digits, "0");
}

/** By how many seconds the clock that showed `code` is ahead of the server's, less if it is behind; 0 if it is right.
 * `undefined` if it is no code of this key within a day. */
export async function clockOffset({ secret, algorithm, digits, period }, code, serverSeconds) {
  const typed = code.replaceAll(/[ -]/g, "");
  if (!secret || !Number.isFinite(serverSeconds) || typed.length !== digits) return undefined;
  const hash = algorithm.replace("SHA", "SHA-");
  const key = await crypto.subtle.importKey("raw", bytesOfBase32(secret), { name: "HMAC", hash }, false, ["sign"]);
  const now = Math.floor(serverSeconds / period);
  // The nearest first: a stranger's code may be right at some time of the day by chance.
  for (let distance = 0; distance * period <= FURTHEST_SECONDS; distance++) {
    for (const steps of distance === 0 ? [0] : [-distance, distance]) {
      if (now + steps >= 0 && await codeAt(key, now + steps, digits) === typed) return steps * period;
    }
  }
  return undefined;
}
