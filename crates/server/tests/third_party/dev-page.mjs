// Drives the page of `einmal dev` in Chromium as somebody with a mouse and a keyboard would. Prints what was seen as JSON.
// Usage: dev-page.mjs URL CHROMIUM
import { chromium } from 'playwright-core';

const [url, executablePath] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const page = await browser.newPage({ viewport: { width: 375, height: 800 } });
const seen = { complaints: [], hosts: new Set(), answers: [] };
page.on('console', (message) => message.type() === 'error' && seen.complaints.push(message.text()));
page.on('pageerror', (error) => seen.complaints.push(String(error)));
page.on('request', (request) => seen.hosts.add(new URL(request.url()).host));

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
// The pages that do without a script.
seen.pages = [];
for (const path of ['/docs', '/docs/errors', '/dev/mailbox']) {
  await page.goto(new URL(path, url).href);
  seen.pages.push(await page.evaluate(() => document.documentElement.scrollWidth));
}
seen.hosts = [...seen.hosts];
console.log(JSON.stringify(seen));
await browser.close();
