// What modules of the account page say, for a comparison with the service. Input is one line of JSON: the modules'
// sources, and a key with codes of it; so is the output.
import { text } from 'node:stream/consumers';

const load = (source) => import(`data:text/javascript,${encodeURIComponent(source)}`);
const { pinRules, clockCheck, texts, key, now, codes } = JSON.parse(await text(process.stdin));
const { isSecure } = await load(pinRules);
const { clockOffset } = await load(clockCheck);
const { TEXTS } = await load(texts);

const pins = Array.from({ length: 10_000 }, (_, number) => String(number).padStart(4, '0'));
const others = ['', '123', '12345', '12a5', '12 5', '१२३५'];
const offsets = [];
for (const code of codes) offsets.push(await clockOffset(key, code, now) ?? null);
// Each text's name with what is filled in.
const shapes = Object.values(TEXTS).map((words) =>
  Object.entries(words).map(([name, words]) => [name, ...(words.match(/\{\w+\}/g) ?? []).sort()].join(' ')));
console.log(JSON.stringify({ secure: pins.filter(isSecure), others: others.filter(isSecure), offsets, shapes }));
