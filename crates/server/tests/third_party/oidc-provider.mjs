// A certified OpenID provider on a free port of the loopback address. Prints its issuer as the first line, and
// gives JWT access tokens for client credentials; the resource names the signature algorithm: urn:einmal:RS256.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const key = (alg, type, options) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: `key-${alg}`,
});
const jwks = { keys: [
  key('RS256', 'rsa', { modulusLength: 2048 }),
  key('PS256', 'rsa', { modulusLength: 2048 }),
  key('ES256', 'ec', { namedCurve: 'P-256' }),
  key('EdDSA', 'ed25519', {}),
] };

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    jwks,
    scopes: ['user:otp:verify', 'user:otp:create'],
    clients: [{
      client_id: 'driver', client_secret: 'not-a-secret-in-a-test', grant_types: ['client_credentials'],
      redirect_uris: [], response_types: [],
    }],
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'] },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource) => ({
          audience: 'einmal', scope: 'user:otp:verify user:otp:create', accessTokenFormat: 'jwt',
          accessTokenTTL: 600, jwt: { sign: { alg: resource.split(':').pop() } },
        }),
      },
    },
  });
  server.on('request', provider.callback());
  console.log(issuer);
});
// Ends with whoever started it.
process.stdin.resume().on('end', () => process.exit(0));
