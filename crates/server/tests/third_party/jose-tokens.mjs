// Tokens signed by the jose library for the issuer named as the argument, at the time given in seconds: a key set,
// good tokens, and forgeries of the kinds that have got past other verifiers. One line of JSON.
import {
  CompactEncrypt, CompactSign, FlattenedSign, SignJWT, exportJWK, exportSPKI, generateKeyPair,
} from 'jose';

const [issuer, time] = [process.argv[2], Number(process.argv[3])];
const text = (value) => new TextEncoder().encode(value);
const encode = (value) => Buffer.from(value).toString('base64url');
const usual = { iss: issuer, aud: 'einmal', sub: 'driver', iat: time, exp: time + 300, scope: 'user:otp:verify' };
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA'];

const jwks = [];
const good = {};
const bad = {};
const pairs = {};
const sign = (claims, header, key) => new SignJWT(claims).setProtectedHeader(header).sign(key);

for (const alg of algorithms) {
  pairs[alg] = await generateKeyPair(alg, { extractable: true });
  jwks.push({ ...(await exportJWK(pairs[alg].publicKey)), alg, use: 'sig', kid: alg });
  const stranger = await generateKeyPair(alg, { extractable: true });
  const key = pairs[alg].privateKey;
  good[alg] = await sign(usual, { alg, kid: alg, typ: 'at+jwt' }, key);
  good[`${alg}, several audiences`] = await sign({ ...usual, aud: ['x', 'einmal'] }, { alg, kid: alg }, key);
  bad[`${alg} of a stranger`] = await sign(usual, { alg, kid: alg }, stranger.privateKey);
  const jwk = await exportJWK(stranger.publicKey);
  bad[`${alg} with its own key`] = await sign(usual, { alg, kid: alg, jwk }, stranger.privateKey);
  bad[`${alg} as an ID token`] = await sign(usual, { alg, kid: alg, typ: 'id+jwt' }, key);
  bad[`${alg} for another`] = await sign({ ...usual, aud: 'another' }, { alg, kid: alg }, key);
  bad[`${alg} not yet`] = await sign({ ...usual, nbf: time + 99 }, { alg, kid: alg }, key);
  bad[`${alg} bound`] = await sign({ ...usual, cnf: { jkt: 'x' } }, { alg, kid: alg }, key);
  const [header, , signature] = good[alg].split('.');
  bad[`${alg} of another user`] = [header, encode(JSON.stringify({ ...usual, sub: 'thief' })), signature].join('.');
  bad[`${alg} without a signature`] = good[alg].replace(/[^.]*$/, '');
  const critical = new CompactSign(text(JSON.stringify(usual)))
    .setProtectedHeader({ alg, kid: alg, crit: ['https://example.com/x'], 'https://example.com/x': true });
  bad[`${alg} with crit`] = await critical.sign(key, { crit: { 'https://example.com/x': true } });
  const spki = await exportSPKI(pairs[alg].publicKey);
  bad[`${alg} key as an HMAC secret`] = await sign(usual, { alg: 'HS256', kid: alg }, text(spki));
}
const detached = await new FlattenedSign(text(encode(JSON.stringify(usual))))
  .setProtectedHeader({ alg: 'ES256', kid: 'ES256', b64: false, crit: ['b64'] }).sign(pairs.ES256.privateKey);
bad['unencoded payload'] = [detached.protected, encode(JSON.stringify(usual)), detached.signature].join('.');
const { publicKey } = await generateKeyPair('RSA-OAEP-256', { extractable: true });
bad.encrypted = await new CompactEncrypt(text(JSON.stringify(usual)))
  .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM', kid: 'RS256' }).encrypt(publicKey);
bad.unsigned = `${encode('{"alg":"none"}')}.${encode(JSON.stringify(usual))}.`;
console.log(JSON.stringify({ jwks, good, bad }));
