// A certified OpenID provider with the password grant (RFC 6749 section 4.3), which it does not have by itself. Prints one
// line of JSON with its issuer and the access tokens of its users: `impostor` has the driver's sub and another's name.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { Provider, errors } from 'oidc-provider';

const signing = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
const users = [
  { sub: 'driver', name: 'drïver & co+%', password: 'pässword: 100% +&=' },
  { sub: 'other', name: 'other', password: 'of the other' },
];
const client = (client_id, more) => ({
  client_id, client_secret: `secret of ${client_id}: 100%`, grant_types: ['password'],
  redirect_uris: [], response_types: [], ...more,
});

const server = createServer();
server.listen(0, '127.0.0.1', async () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...signing, alg: 'EdDSA', use: 'sig', kid: 'k' }] },
    clients: [
      client('einmal'),
      // Signs ID tokens with its secret, as providers did for a long time.
      client('symmetric', { id_token_signed_response_alg: 'HS256' }),
      client('public', { client_secret: undefined, token_endpoint_auth_method: 'none' }),
      client('stranger', { grant_types: ['client_credentials'] }),
    ],
    scopes: ['openid', 'user:otp:create', 'user:otp:verify'],
    enabledJWA: { idTokenSigningAlgValues: ['EdDSA', 'HS256'] },
    clientDefaults: { id_token_signed_response_alg: 'EdDSA' },
    extraTokenClaims: (_, token) => ({ preferred_username: token.extra?.name }),
    features: { devInteractions: { enabled: false }, clientCredentials: { enabled: true } },
  });

  const accessToken = (sub, of, format, extra) => {
    const scope = 'user:otp:create user:otp:verify';
    const token = new provider.AccessToken({ accountId: sub, client: of, scope, expiresWithSession: false, extra });
    token.resourceServer = new provider.ResourceServer('urn:einmal', {
      audience: 'einmal', scope, accessTokenTTL: 600, accessTokenFormat: format, jwt: { sign: { alg: 'EdDSA' } },
    });
    return token;
  };
  const grant = async (ctx) => {
    const { params, client: asking } = ctx.oidc;
    const user = users.find(({ name }) => name === params.username);
    if (user?.password !== params.password) throw new errors.InvalidGrant('no such user with that password');
    const isOpenId = params.scope?.split(' ').includes('openid');
    const format = params.scope?.includes('opaque') || isOpenId ? 'opaque' : 'jwt';
    const access = await accessToken(user.sub, asking, format).save();
    ctx.body = { access_token: access, token_type: 'Bearer', expires_in: 600 };
    if (isOpenId) {
      const id = new provider.IdToken({ sub: user.sub }, { ctx });
      id.scope = 'openid';
      ctx.body.id_token = await id.issue({ use: 'idtoken' });
    }
  };
  provider.registerGrantType('password', grant, ['username', 'password', 'scope']);
  server.on('request', provider.callback());

  const einmal = await provider.Client.find('einmal');
  const caller = (sub, name) => accessToken(sub, einmal, 'jwt', { name }).save();
  const tokens = {
    driver: await caller('driver', users[0].name),
    impostor: await caller('driver', 'other'),
    unknown: await caller('driver', 'nobody'),
  };
  console.log(JSON.stringify({ issuer, token: `${issuer}/token`, tokens }));
});
// Ends with whoever started it.
process.stdin.resume().on('end', () => process.exit(0));
