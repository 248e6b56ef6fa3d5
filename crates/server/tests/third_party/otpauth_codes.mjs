// Prints random TOTP settings and the codes that otpauth computes for them, one JSON object a line.
// Usage: node otpauth_codes.mjs COUNT SEED
import { createHash } from 'node:crypto';
import { Secret, TOTP } from 'otpauth';

const [count, seed] = process.argv.slice(2);
let drawn = 0;
const bytes = () => createHash('sha512').update(`${seed} ${drawn++}`).digest();
const within = (least, most) => least + bytes().readUInt32BE() % (most - least + 1);

for (let number = 0; number < Number(count); number++) {
  const algorithm = ['SHA1', 'SHA256', 'SHA512'][within(0, 2)];
  const secret = new Secret({ buffer: Uint8Array.from(Buffer.concat([bytes(), bytes()]).subarray(0, within(10, 128))).buffer });
  const digits = within(6, 8);
  const period = within(15, 120);
  const time = within(0, 2 ** 32 - 1) * 256 + within(0, 255);
  const code = new TOTP({ secret, algorithm, digits, period }).generate({ timestamp: time * 1000 });
  console.log(JSON.stringify({ secret: secret.base32, algorithm, digits, period, time, code }));
}
