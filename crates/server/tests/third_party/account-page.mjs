// Drives the account page in Chromium as its user does, once on a phone in German and once on a wide screen in English.
// Prints what was seen as JSON. Input is one line of JSON; in the folder `screenshots`, if there is one, it leaves pictures for
// the manual.
import { parse } from '@otplib/uri';
import jsqr from 'jsqr';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';
import { generateSync } from 'otplib';
import { chromium } from 'playwright-core';
import { PNG } from 'pngjs';

const { url, executablePath, texts, deviceSecret, screenshots } = JSON.parse(await text(process.stdin));
const { TEXTS } = await import(`data:text/javascript,${encodeURIComponent(texts)}`);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const seen = { origins: new Set(), complaints: [], secretsInAddresses: [] };
const browser = await chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

const codeOf = (params, seconds = 0) => generateSync({ ...params, epoch: Math.floor(Date.now() / 1000) + seconds });

async function visit(width, language, user) {
  const words = TEXTS[language];
  const app = language === 'de' ? 'Mein Telefon' : 'My phone';
  const fill = (key, values) => words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const context = await browser.newContext({
    viewport: { width, height: width < 500 ? 812 : 900 }, locale: language, permissions: ['clipboard-read', 'clipboard-write'],
  });
  await context.addInitScript(axe);
  await context.addInitScript(() => document.addEventListener('securitypolicyviolation', (event) =>
    console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`)));
  context.on('request', (request) => {
    const address = request.url().replace(/^blob:/, '');
    seen.origins.add(new URL(address).origin);
    // A JWT begins so.
    if (/eyJ|access_token|id_token/.test(address)) seen.secretsInAddresses.push(address);
  });
  context.on('console', (message) => message.type() === 'error' && seen.complaints.push(message.text()));
  context.on('weberror', (error) => seen.complaints.push(String(error.error())));
  await context.clock.install();
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const found = { views: {}, said: {} };

  const button = (key) => page.getByRole('button', { name: words[key], exact: true });
  const alert = page.getByRole('alert').filter({ hasText: /./ });
  const heading = (key) => page.getByRole('heading', { level: 1, name: words[key], exact: true });
  const focused = () => page.evaluate(() => document.activeElement.localName);

  /** What holds for every view, in light and dark colours. */
  async function look(name) {
    const view = { width: 0, violations: [] };
    await page.mouse.move(0, 0);
    for (const colorScheme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      view.width = Math.max(view.width, await page.evaluate(() => document.documentElement.scrollWidth));
      const { violations } = await page.evaluate(() => globalThis.axe.run(document, {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      }));
      view.violations.push(...violations.map(({ id, nodes }) => `${colorScheme} ${id}: ${nodes.map((node) => node.html).join(' ')}`));
    }
    found.views[name] = view;
  }
  const picture = async (name, options) => {
    if (screenshots) await page.screenshot({ path: `${screenshots}/account-page-${name}.png`, ...options });
  };
  const untilNoticeIsGone = async () => {
    await context.clock.fastForward(9_000);
    await page.locator('#notice.is-shown').waitFor({ state: 'detached' });
  };
  const middle = (height) => ({ clip: { x: 264, y: 0, width: 752, height } });
  const alerted = async (name) => {
    await alert.first().waitFor();
    found.said[name] = await alert.first().textContent();
  };

  // Signing in, with the keyboard alone.
  await page.goto(`${url}/account`);
  await button('signIn').waitFor();
  await look('sign-in');
  await button('signIn').focus();
  await page.keyboard.press('Enter');
  await page.getByLabel('Who are you?').fill(user);
  await page.keyboard.press('Enter');
  await button('addAuthenticator').waitFor();
  found.address = page.url();
  found.kept = await page.evaluate(() => [...Object.keys(sessionStorage), ...Object.keys(localStorage), document.cookie]);
  found.focused = await focused();
  await look('overview');

  // Adding an authenticator app: a proof that is wrong, and one that is right.
  await button('addAuthenticator').click();
  await heading('enrolTitle').waitFor();
  await look('proof');
  await button('mailCode').click();
  await page.getByText(words.mailSent).waitFor();
  await page.getByLabel(words.proofPin, { exact: true }).check();
  await page.getByLabel(words.enrolName).fill(app);
  for (const pin of ['7351', '8299']) {
    await page.getByLabel(words.pin, { exact: true }).fill(pin);
    await button('continue').click();
    if (pin === '7351') await alerted('wrongProof');
  }
  const image = page.getByRole('img', { name: words.qrCode });
  await image.waitFor();
  found.focusedThen = await focused();
  // What a phone's camera sees of the screen.
  const { data, width: across, height } = PNG.sync.read(await image.screenshot());
  const scanned = (jsqr.default ?? jsqr)(new Uint8ClampedArray(data), across, height)?.data;
  const { params } = parse(scanned);
  await page.getByText(words.byHand).click();
  await button('copy').click();
  await page.getByText(words.copied).waitFor();
  found.key = {
    isLinked: await page.getByRole('link', { name: words.openApp }).getAttribute('href') === scanned,
    isShown: (await page.locator('code').textContent()) === params.secret.match(/.{1,4}/g).join(' '),
    isCopied: await page.evaluate(() => navigator.clipboard.readText()) === params.secret,
  };
  await look('scan');
  if (language === 'en') await picture('scan', middle(820));
  const code = page.getByLabel(words.scanCode);
  const wrong = [...'123456789'].map((digit) => digit.repeat(6)).find((six) => ![-1, 0, 1].some((step) => codeOf(params, step * 30) === six));
  for (const [name, typed] of [['wrongCode', wrong], ['clock', codeOf(params, 300)]]) {
    await code.fill(typed);
    await button('confirm').click();
    await page.waitForFunction((before) => {
      const said = document.querySelector('.alert')?.textContent;
      return said && said !== before;
    }, found.said.wrongCode ?? '');
    await alerted(name);
  }
  await look('wrong-code');
  // One app does as it was told, the other has a way of its own.
  const [uses, told] = language === 'en'
    ? [{ algorithm: 'sha256', digits: 8 }, fill('enrolledAdjusted', { algorithm: 'SHA256', digits: 8, period: 30 })]
    : [{}, words.enrolled];
  const right = codeOf({ ...params, ...uses });
  await code.fill(`${right.slice(0, 3)} ${right.slice(3)}`);
  await page.keyboard.press('Enter');
  await page.getByText(told).waitFor();
  await page.getByRole('heading', { name: app, exact: true }).waitFor();
  found.confirmed = await page.locator('.events li > span').first().textContent();
  await look('enrolled');
  await untilNoticeIsGone();
  if (language === 'en') await picture('overview', middle(900));

  // A name, and whether to delete.
  await page.getByRole('button', { name: fill('renameNamed', { name: app }) }).click();
  await look('rename');
  await page.getByLabel(words.name, { exact: true }).fill('<b>Tablet</b>');
  await page.keyboard.press('Enter');
  await page.getByText(words.renamed).waitFor();
  await page.getByRole('heading', { name: '<b>Tablet</b>', exact: true }).waitFor();

  // A PIN, against a code of the device.
  await button('pinChange').click();
  const pin = page.getByLabel(words.pinNew);
  found.rules = [];
  for (const typed of ['12', '1234', '1122', '8035']) {
    await pin.fill(typed);
    found.rules.push(await page.locator('.rules li').evaluateAll((rules) => rules.map((rule) => rule.classList.contains('is-kept'))));
    if (typed === '1234') await look('pin');
    if (typed === '1234' && language === 'de') {
      await page.emulateMedia({ colorScheme: 'dark' });
      await picture('pin');
    }
  }
  await page.getByLabel(words.code, { exact: true }).fill(codeOf({ secret: deviceSecret }));
  await button('pinSet').click();
  await page.getByText(words.pinDone).waitFor();

  // Deleting, with the keyboard: first not, then really.
  const deleteName = fill('deleteNamed', { name: '<b>Tablet</b>' });
  const deletion = page.getByRole('button', { name: deleteName });
  await deletion.focus();
  await page.keyboard.press('Enter');
  await look('delete');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  found.focusedAfterEscape = await page.evaluate(() => document.activeElement.getAttribute('aria-label')) === deleteName;
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').getByRole('button', { name: words.delete }).click();
  await page.getByText(words.authenticatorsNone).waitFor();

  // What was done, the latest first; what is older unfolds.
  await page.getByText(words.activityEarlier, { exact: true }).click();
  const activity = await page.locator('.events li > span').allTextContents();
  found.activity = activity.map((text) => Object.keys(words).find((key) => words[key] === text) ?? text);
  await look('activity');
  if (screenshots && language === 'en') {
    await untilNoticeIsGone();
    await page.locator('section').last().screenshot({ path: `${screenshots}/account-page-activity.png` });
  }

  // The session ends while something is typed; the language is changed meanwhile, too.
  await button('addAuthenticator').click();
  await page.getByLabel(words.enrolName).fill('typed before');
  const other = language === 'de' ? ['en', 'English'] : ['de', 'Deutsch'];
  await page.getByRole('button', { name: other[1] }).click();
  await heading('enrolTitle').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: language === 'de' ? 'Deutsch' : 'English' }).click();
  await heading('enrolTitle').waitFor();
  // Its time is over, or it is refused.
  if (language === 'de') {
    await context.clock.fastForward(601_000);
  } else {
    const errors = [{ id: '1', status: '401', code: 'token-invalid', title: 'Invalid token' }];
    await page.route('**/user/authenticators', (route) => route.fulfill({ status: 401, json: { errors } }), { times: 1 });
    await page.getByLabel(words.proofPin, { exact: true }).check();
    await page.getByLabel(words.pin, { exact: true }).fill('8035');
    await button('continue').click();
  }
  await page.getByRole('dialog').waitFor();
  await look('session-ended');
  const [again] = await Promise.all([context.waitForEvent('page'), page.getByRole('link', { name: words.signInAgain }).click()]);
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  found.closed = await again.waitForEvent('close', { timeout: 2_000 }).then(() => true, () => again.isClosed());
  if (!found.closed) {
    await again.getByRole('heading', { name: words.signedInAgain }).waitFor();
    await again.close();
  }
  found.typed = await page.getByLabel(words.enrolName).inputValue();
  // A server that is older than the page has no activity, and all else.
  const errors = [{ id: '1', status: '404', code: 'not-found', title: 'Not found' }];
  await page.route('**/user/events', (route) => route.fulfill({ status: 404, json: { errors } }), { times: 1 });
  await button('cancel').click();
  await button('addAuthenticator').waitFor();
  found.isActivityOfOlderShown = await page.getByRole('heading', { name: words.activity, exact: true }).isVisible();

  // Who signs out while they are being signed in again stays signed out, whatever the issuer answers then.
  await context.clock.fastForward(601_000);
  await page.getByRole('dialog').waitFor();
  let letGo;
  const held = new Promise((resolve) => { letGo = resolve; });
  let asked = page.waitForRequest((request) => request.method() === 'POST');
  await page.route((address) => address.origin !== url, async (route) => {
    await held;
    await route.continue();
  }, { times: 1 });
  const [meanwhile] = await Promise.all([context.waitForEvent('page'), page.getByRole('link', { name: words.signInAgain }).click()]);
  asked = await asked;
  await page.getByRole('dialog').getByRole('button', { name: words.signOut }).click();
  await page.getByText(words.signedOut, { exact: true }).waitFor();
  letGo();
  const said = await asked.response();
  await said.finished();
  found.issuerSaid = said.status();
  await meanwhile.close();
  await page.evaluate(() => new Promise(requestAnimationFrame));
  found.isStillSignedOut = !await button('signOut').isVisible();
  await button('signIn').click();
  await button('addAuthenticator').waitFor();

  // Out, and an answer that nobody here asked for.
  await button('signOut').click();
  await page.getByText(words.signedOut, { exact: true }).waitFor();
  await look('signed-out');
  await page.goto(`${url}/account?code=made-up&state=of-an-attacker`);
  await alerted('foreign');
  found.foreignAddress = page.url();
  await context.close();
  return found;
}

try {
  seen.phone = await visit(375, 'de', 'bettina');
  seen.wide = await visit(1280, 'en', 'alice');
} catch (error) {
  const pages = browser.contexts().flatMap((context) => context.pages());
  const shown = pages.map(async (page) => `${page.url()}\n${await page.locator('body').innerText()}`);
  console.error((await Promise.all(shown)).join('\n'), seen.complaints);
  throw error;
}
seen.origins = [...seen.origins].sort();
console.log(JSON.stringify(seen));
await browser.close();
