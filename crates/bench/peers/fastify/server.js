// A service that does the same as VerifyOTP, as a good engineer would write it in a day: tokens by jose, codes by otplib
// with Node's own HMAC, and one conditional UPDATE, so that a code is accepted once over all workers.
// Usage: node server.js '{"workers", "database", "keySet", "issuer", "audience"}'; says where it is when it can be asked.

import cluster from "node:cluster";
import { NodeCryptoPlugin } from "@otplib/plugin-crypto-node";
import Fastify from "fastify";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { verifySync } from "otplib";
import pg from "pg";

const settings = JSON.parse(process.argv[2]);

const LOAD = {
  name: "load",
  text: "SELECT secret, last_step, failures, locked_until > now() AS is_locked FROM accounts WHERE subject = $1",
};
const SPEND = {
  name: "spend",
  text: "UPDATE accounts SET last_step = $2, failures = 0 WHERE subject = $1 AND last_step < $2",
};
const FAIL = {
  name: "fail",
  text: `UPDATE accounts SET failures = failures + 1,
           locked_until = CASE WHEN failures >= 4 THEN now() + interval '30 s' END WHERE subject = $1`,
};

if (cluster.isPrimary) {
  let listening = 0;
  for (let i = 0; i < settings.workers; i++) cluster.fork();
  cluster.on("listening", (_, address) => {
    if (++listening === settings.workers) console.log(`127.0.0.1:${address.port}`);
  });
  // Ends with whoever started it.
  process.stdin.on("end", () => process.exit(0)).resume();
  cluster.on("exit", () => process.exit(1));
} else {
  await serve();
}

async function serve() {
  const keys = createRemoteJWKSet(new URL(settings.keySet));
  const database = new pg.Pool({ connectionString: settings.database, max: 10 });
  const crypto = new NodeCryptoPlugin();
  const app = Fastify();

  const authenticate = async (request) => {
    const [scheme, token] = (request.headers.authorization ?? "").split(" ");
    if (scheme !== "Bearer" || !token) throw refused(401, "token missing");
    const { payload } = await jwtVerify(token, keys, {
      issuer: settings.issuer,
      audience: settings.audience,
      algorithms: ["RS256", "ES256", "EdDSA"],
    }).catch(() => {
      throw refused(401, "token invalid");
    });
    if (!payload.scope?.split(" ").includes("user:otp:verify")) throw refused(403, "scope missing");
    request.subject = payload.sub;
  };

  const schema = {
    body: {
      type: "object",
      required: ["otp"],
      properties: { otp: { type: "string", pattern: "^[0-9]{6}$" } },
    },
  };
  app.decorateRequest("subject", "");
  app.post("/user/2025-1/user/otp/verify", { onRequest: authenticate, schema }, async (request, reply) => {
    const { subject } = request;
    const { rows } = await database.query({ ...LOAD, values: [subject] });
    const account = rows[0];
    if (!account || account.is_locked) throw refused(404, "otp invalid");
    const result = verifySync({ secret: account.secret, token: request.body.otp, epochTolerance: 30, crypto });
    if (!result.valid) {
      await database.query({ ...FAIL, values: [subject] });
      throw refused(404, "otp invalid");
    }
    const { rowCount } = await database.query({ ...SPEND, values: [subject, result.timeStep] });
    if (rowCount !== 1) throw refused(404, "otp invalid");
    return reply.code(204).send();
  });

  await app.listen({ host: "127.0.0.1", port: 0 });
}

function refused(statusCode, message) {
  return Object.assign(new Error(message), { statusCode });
}
