// A client as its users would write it, on types that openapi-typescript has made. It compiles only where the types say
// what is right and what is wrong. Prints what was answered as JSON.
// Usage: openapi_client.js URL TOKEN CODE
import createClient from 'openapi-fetch';
import type { paths } from './api.js';

declare const process: { argv: string[] };

const [, , baseUrl, token, otp = ''] = process.argv;
const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });

async function verify() {
  const { response, error } = await client.POST('/user/otp/verify', { body: { otp, types: ['device-totp'] } });
  const first = error?.errors[0];
  if (first?.code === 'otp-invalid') {
    return { status: response.status, code: first.code, about: first.links.about };
  }
  // @ts-expect-error There is no such code.
  if (first?.code === 'otp-invalidd') throw new Error();
  return { status: response.status };
}

export function mistakes() {
  return [
    // @ts-expect-error A number would lose its leading zeros.
    client.POST('/user/otp/verify', { body: { otp: 123456 } }),
    // @ts-expect-error It is required.
    client.POST('/user/otp/verify', { body: {} }),
    // @ts-expect-error There is no such type of code.
    client.POST('/user/otp/verify', { body: { otp, types: ['sms'] } }),
    // @ts-expect-error There is no such operation.
    client.GET('/user/otp/verify'),
  ];
}

console.log(JSON.stringify([await verify(), await verify()]));
