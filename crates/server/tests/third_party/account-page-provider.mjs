// A certified OpenID provider for people: somebody types who they are and is signed in, in code flow with PKCE, as a public
// client on any port of this address. Prints its issuer as the first line. Ends with whoever started it.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { Provider } from 'oidc-provider';

const resource = 'urn:einmal';
const scope = 'user:device-totps:create user:device-totps:delete user:users.pin:update user:users.pin:check ' +
  'user:users.password:check user:otp:create';
const page = `<!DOCTYPE html><html lang="en"><title>Provider</title><form method="post">
<label>Who are you? <input name="login" autofocus></label> <button>That is me</button></form></html>`;

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' }] },
    clients: [{
      client_id: 'account-page', application_type: 'native', token_endpoint_auth_method: 'none',
      redirect_uris: ['http://127.0.0.1/account'], grant_types: ['authorization_code'], response_types: ['code'],
      id_token_signed_response_alg: 'ES256',
    }],
    cookies: { keys: ['not-a-secret-in-a-test'] },
    claims: { openid: ['sub'], profile: ['name'] },
    conformIdTokenClaims: false,
    clientBasedCORS: () => true,
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, name: `${id[0].toUpperCase()}${id.slice(1)}` }) }),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    loadExistingGrant: async (ctx) => {
      const grant = new provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope('openid profile');
      grant.addResourceScope(resource, scope);
      await grant.save();
      return grant;
    },
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          audience: 'einmal', scope, accessTokenFormat: 'jwt', accessTokenTTL: 600, jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  });
  const answer = provider.callback();
  server.on('request', async (request, response) => {
    if (!request.url.startsWith('/interaction/')) return answer(request, response);
    const { prompt } = await provider.interactionDetails(request, response);
    // Of native clients it asks for consent each time.
    if (prompt.name === 'consent') return provider.interactionFinished(request, response, { consent: {} });
    if (request.method === 'GET') return response.setHeader('content-type', 'text/html').end(page);
    const accountId = new URLSearchParams(await text(request)).get('login');
    return provider.interactionFinished(request, response, { login: { accountId } });
  });
  console.log(issuer);
});
process.stdin.resume().on('end', () => process.exit(0));
