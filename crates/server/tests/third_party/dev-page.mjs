// Drives the page of `einmal dev` in Chromium as somebody with a mouse, a keyboard and a phone would. Prints what was seen
// as JSON. Usage: dev-page.mjs URL CHROMIUM
import { parse } from '@otplib/uri';
import jsqr from 'jsqr';
import { generateSync } from 'otplib';
import { chromium } from 'playwright-core';
import { PNG } from 'pngjs';

const [url, executablePath] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const page = await browser.newPage({ viewport: { width: 375, height: 800 } });
const seen = { complaints: [], hosts: new Set(), answers: [] };
page.on('console', (message) => message.type() === 'error' && seen.complaints.push(message.text()));
page.on('pageerror', (error) => seen.complaints.push(String(error)));
// A blob's address has that of its page in it.
page.on('request', (request) => seen.hosts.add(new URL(request.url().replace(/^blob:/, '')).host));

await page.goto(url);
const cards = page.locator('article');
await cards.first().waitFor();
seen.width = await page.evaluate(() => document.documentElement.scrollWidth);
await page.waitForFunction(() => /^[0-9]{6}$/.test(document.getElementById('device').textContent));

async function answerOf(card) {
  const answer = card.locator('pre');
  await page.waitForFunction((pre) => pre.textContent !== '', await answer.elementHandle());
  const text = await answer.textContent();
  return Number(text.slice(0, 3));
}

async function press(card, how) {
  await card.locator('pre').evaluate((pre) => { pre.textContent = ''; });
  await how(card.getByRole('button'));
  return answerOf(card);
}

const click = (button) => button.click();
const key = async (button) => { await button.focus(); await button.page().keyboard.press('Enter'); };

for (const card of await cards.all()) {
  const name = await card.locator('h3').textContent();
  const said = Number((await card.locator('p').textContent()).match(/Answer: ([0-9]{3})\./)[1]);
  seen.answers.push({ name, said, first: await press(card, click) });
}
// What was created last is good once.
const verify = cards.first();
await verify.locator('textarea').fill('{"otp":"{created}","types":["account","login"]}');
seen.created = [await press(verify, click), await press(verify, key)];
// What a phone sees of the screen, be it dark or light, and the code that its app shows then.
async function scanned(image) {
  const { data, width, height } = PNG.sync.read(await image.screenshot());
  return (jsqr.default ?? jsqr)(new Uint8ClampedArray(data), width, height)?.data;
}
seen.scanned = [];
for (const colorScheme of ['light', 'dark']) {
  await page.emulateMedia({ colorScheme });
  await page.getByRole('button', { name: 'Show a QR code' }).click();
  const image = page.locator('#qr img');
  await image.waitFor();
  const shown = await page.locator('#uri').getAttribute('href');
  const uri = await scanned(image);
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  const outcomes = [];
  for (const code of ['no code', generateSync({ ...parse(uri).params })]) {
    await page.getByLabel('Code that the app shows').fill(code);
    await page.keyboard.press('Enter');
    const before = outcomes.at(-1) ?? '';
    const changed = (before) => document.getElementById('own-outcome').textContent !== before;
    await page.waitForFunction(changed, before);
    outcomes.push(await page.locator('#own-outcome').textContent());
  }
  seen.scanned.push({ isWhatIsShown: uri === shown, width, statuses: outcomes.map((text) => text.slice(0, 3)) });
}
// The pages that do without a script.
seen.pages = [];
for (const path of ['/docs', '/docs/errors', '/dev/mailbox']) {
  await page.goto(new URL(path, url).href);
  seen.pages.push(await page.evaluate(() => document.documentElement.scrollWidth));
}
seen.hosts = [...seen.hosts];
console.log(JSON.stringify(seen));
await browser.close();
