// A client as its users would write it, on types that openapi-typescript has made. It compiles only where the types say
// what is right and what is wrong. Goes through what mobile clients do; each way has a user of its own. Where a code was
// mailed it prints `mailed`, and reads it. At last it prints what was answered as JSON, way by way.
// Usage: openapi_client.js URL PASSWORD TOKENS, which is JSON with one token for each way
import createClient from 'openapi-fetch';
import { generateSync } from 'otplib';
import type { paths } from './api.js';

declare const process: { argv: string[]; stdin: AsyncIterable<unknown> };

const [, , baseUrl, password = '', tokens = '{}'] = process.argv;
const input = process.stdin[Symbol.asyncIterator]();
const phone = '738e379f-fe30-45ab-819c-ba88804b6368';
const key = '7f4df3a4-2f2c-4a52-b0a8-0d3f4f0c9b21';

type Body<Operation> = Operation extends { requestBody: { content: { 'application/json': infer Body } } } ? Body : never;
type Proof = Body<paths['/user/devices/totp']['post']>['data']['attributes'];
type Answer = { response: Response; error?: { errors: { code: string }[] } };

function must<Value>(value: Value | null | undefined): Value {
  if (value === null || value === undefined) throw new Error('nothing there');
  return value;
}

/** Of one user. Keeps what it was answered. */
class App {
  answers: (number | string)[] = [];
  client: ReturnType<typeof createClient<paths>>;

  constructor(token: string) {
    this.client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });
  }

  note<Given extends Answer>(answer: Given): Given {
    const { response, error } = answer;
    this.answers.push(error ? `${response.status} ${must(error.errors[0]).code}` : response.status);
    return answer;
  }

  async mailed() {
    this.note(await this.client.POST('/user/otp/sendmail'));
    console.log('mailed');
    return String((await input.next()).value).trim();
  }

  async enableBiometry(attributes: Proof, headers = {}) {
    const body = { data: { type: 'deviceTOTP' as const, id: phone, attributes } };
    const { data } = this.note(await this.client.POST('/user/devices/totp', { body, headers }));
    const created = must(data).data;
    if (created.id !== phone) throw new Error(created.id);
    return created.attributes.secret;
  }

  async setPin(pin: string, otp: string, headers = {}) {
    const body = { data: { type: 'pin' as const, attributes: { pin, otp } } };
    this.note(await this.client.PUT('/user/pin', { body, headers }));
  }

  async otpBy(body: Body<paths['/user/otp']['post']>) {
    const { data } = this.note(await this.client.POST('/user/otp', { body }));
    return must(data).otp;
  }

  async approveByPin() {
    const body = { otp: await this.otpBy({ pin: '8299' }) };
    this.note(await this.client.POST('/user/otp/verify', { body }));
  }

  async verify(otp: string, headers = {}) {
    const body = { otp, types: ['device-totp' as const] };
    this.note(await this.client.POST('/user/otp/verify', { body, headers }));
  }
}

const code = (secret: string) => generateSync({ secret });

const ways: Record<string, (app: App) => Promise<void>> = {
  async pin_by_password(app) {
    app.note(await app.client.GET('/user/password'));
    app.note(await app.client.GET('/user/pin'));
    await app.setPin('8299', await app.otpBy({ password }));
    app.note(await app.client.GET('/user/pin'));
    const { data } = app.note(await app.client.GET('/user/pin-or-password'));
    if (!must(data).pin || !must(data).password) throw new Error(JSON.stringify(data));
    await app.approveByPin();
  },
  async biometry_by_pin(app) {
    await app.setPin('8299', await app.otpBy({ password }));
    await app.verify(code(await app.enableBiometry({ pin: '8299' })));
  },
  async biometry_by_password(app) {
    const otp = code(await app.enableBiometry({ password }));
    await app.verify(otp);
    await app.verify(otp);
  },
  async biometry_by_mail(app) {
    await app.verify(code(await app.enableBiometry({ otp: await app.mailed() })));
  },
  async pin_by_mail_and_device(app) {
    const secret = await app.enableBiometry({ otp: await app.mailed() });
    await app.setPin('1234', code(secret));
    await app.setPin('8299', code(secret));
    await app.approveByPin();
  },
  async pin_by_mail(app) {
    await app.setPin('8299', await app.mailed());
    await app.approveByPin();
  },
  async repeats(app) {
    const headers = { 'Idempotency-Key': key };
    const secret = await app.enableBiometry({ password }, headers);
    if ((await app.enableBiometry({ password }, headers)) !== secret) throw new Error('another secret');
    const ofDevice = code(secret);
    await app.verify(ofDevice, headers);
    await app.verify(ofDevice, headers);
    await app.verify(ofDevice);
    const otp = await app.otpBy({ password });
    await app.setPin('8299', otp, headers);
    await app.setPin('8299', otp, headers);
    await app.approveByPin();
  },
};

export function mistakes({ client }: App) {
  return [
    // @ts-expect-error A number would lose its leading zeros.
    client.POST('/user/otp/verify', { body: { otp: 123456 } }),
    // @ts-expect-error It is required.
    client.POST('/user/otp/verify', { body: {} }),
    // @ts-expect-error There is no such type of code.
    client.POST('/user/otp/verify', { body: { otp: '123456', types: ['sms'] } }),
    // @ts-expect-error There is no such operation.
    client.GET('/user/otp/verify'),
    client.POST('/user/otp/verify', { body: { otp: '123456' } }).then(({ error }) => {
      const first = error?.errors[0]?.code;
      // @ts-expect-error There is no such error.
      return first === 'otp-invalidd' || first === 'otp-invalid';
    }),
  ];
}

const answers: Record<string, (number | string)[]> = {};
for (const [way, token] of Object.entries(JSON.parse(tokens) as Record<string, string>)) {
  const app = new App(token);
  await must(ways[way])(app);
  answers[way] = app.answers;
}
console.log(JSON.stringify(answers));
