// A certified OpenID provider that is asked about opaque tokens (RFC 7662). Prints one line of JSON with its issuer, where
// to ask, and tokens by kind; each line on standard input is a token to revoke, answered by its status.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { Provider } from 'oidc-provider';

const signing = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
const clients = ['app', 'einmal'].map((client_id) => ({
  client_id, client_secret: `secret of ${client_id}: 100%`, grant_types: ['client_credentials'],
  redirect_uris: [], response_types: [],
}));

const server = createServer();
server.listen(0, '127.0.0.1', async () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...signing, alg: 'EdDSA', use: 'sig', kid: 'k' }] },
    clients,
    scopes: ['user:otp:verify'],
    enabledJWA: { idTokenSigningAlgValues: ['EdDSA'] },
    clientDefaults: { id_token_signed_response_alg: 'EdDSA' },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      // Whoever may ask: this service, not the tokens' own client alone.
      introspection: { enabled: true, allowedPolicy: (_, client) => client.clientId === 'einmal' },
      revocation: { enabled: true },
    },
  });
  server.on('request', provider.callback());

  const client = await provider.Client.find('app');
  const payload = { accountId: 'driver', client, scope: 'user:otp:verify', expiresWithSession: false };
  const access = (audience, more = {}) => {
    const token = new provider.AccessToken({ ...payload, ...more });
    const scope = 'user:otp:verify';
    token.resourceServer = new provider.ResourceServer(`urn:${audience}`, {
      audience, scope, accessTokenTTL: 600, accessTokenFormat: 'opaque',
    });
    return token;
  };
  const bound = access('einmal');
  bound['x5t#S256'] = 'A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0';
  const tokens = {
    good: access('einmal'),
    foreign: access('another'),
    unscoped: access('einmal', { scope: '' }),
    bound,
    refresh: new provider.RefreshToken({ ...payload, rotations: 0 }),
  };
  for (const name of Object.keys(tokens)) tokens[name] = await tokens[name].save();
  console.log(JSON.stringify({ issuer, introspection: `${issuer}/token/introspection`, tokens }));

  const credentials = [encodeURIComponent('app'), encodeURIComponent(clients[0].client_secret)].join(':');
  for await (const token of createInterface({ input: process.stdin })) {
    const answer = await fetch(`${issuer}/token/revocation`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(credentials)}` },
      body: new URLSearchParams({ token }),
    });
    console.log(answer.status);
  }
  // Ends with whoever started it.
  process.exit(0);
});
