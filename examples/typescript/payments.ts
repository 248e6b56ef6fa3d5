// A shop's back end that asks for a one-time password before it pays. Needs nothing but Node.js, which runs it as it is from
// version 22.18 on; older ones (18 and up) run what `tsc` makes of it.
//
//     node payments.ts EINMAL_URL HOST:PORT        # node payments.ts http://127.0.0.1:8080 127.0.0.1:8300
//
// It never pays for anything but a 204, never sends another key or another body while it does not know what became of the
// first, and writes no code and no token anywhere. What is a sketch: orders are in memory, a real shop has a database; and who
// calls is told by the access token alone, a real shop has sessions. docs/PAYMENTS.md has the reasons.
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

/** What is to be paid, to whom, and for whom: fixed when it is made, and looked up here when it is confirmed. */
type Order = {
  readonly id: string;
  readonly token: string;
  readonly payee: string;
  readonly cents: number;
  attempt: number;
  /** The body of an attempt of which nobody knows what became. */
  undecided?: string;
  paid: boolean;
  /** One confirmation of an order at a time. */
  turn: Promise<unknown>;
};
type Decision = { status: number; code?: string; seconds?: number };
type Told = [status: number, body: object];

const tries = 3;
const patience = 15_000;
const [einmal = '', listen = ''] = process.argv.slice(2);
const orders = new Map<string, Order>();
const payments: object[] = [];

const shown = ({ id, payee, cents }: Order) => ({ order: id, payee, cents });

/** Sends the attempt until there is a decision, or nobody knows. */
async function ask(order: Order): Promise<Decision | undefined> {
  for (let number = 1; number <= tries; number += 1) {
    let wait = 0.2;
    try {
      const answer = await fetch(`${einmal}/user/2025-1/user/otp/verify`, {
        method: 'POST',
        headers: {
          Authorization: `Bearer ${order.token}`,
          'Content-Type': 'application/json',
          // The same for the same attempt, however often it is sent.
          'Idempotency-Key': `${order.id}-${order.attempt}`,
        },
        body: order.undecided ?? '',
        signal: AbortSignal.timeout(patience),
      });
      const seconds = Number(answer.headers.get('Retry-After'));
      if (answer.status === 204) return { status: 204 };
      const { errors } = await answer.json() as { errors: [{ code: string }] };
      if (answer.status < 500 && answer.status !== 408) return { status: answer.status, code: errors[0].code, seconds };
      wait = Math.min(Math.max(seconds, wait), 5);
    } catch {
      // The answer is lost, or is none of einmal's.
    }
    if (number < tries) await sleep(wait * 1000);
  }
  return undefined;
}

/** What becomes of the order by the attempt that is under way. */
async function settle(order: Order): Promise<Told> {
  const decision = await ask(order);
  if (!decision) return [503, { state: 'unknown' }];
  if (decision.status === 204) {
    order.paid = true;
    order.undecided = undefined;
    payments.push(shown(order));
    return [200, { state: 'paid' }];
  }
  if (decision.code === 'otp-invalid' || decision.code === 'throttled') {
    order.undecided = undefined;
    return [403, { state: 'refused', retryAfter: decision.seconds || null }];
  }
  if (decision.status === 401 || decision.status === 403) return [401, { state: 'signed-out' }];
  return [502, { state: 'fault' }];
}

async function confirm(order: Order, code: string): Promise<Told> {
  if (order.paid) return [200, { state: 'paid' }];
  const body = JSON.stringify({ otp: code, types: ['device-totp', 'totp'] });
  if (order.undecided !== undefined && order.undecided !== body) {
    // An earlier code may have been accepted: that is found out before another one is spent.
    const told = await settle(order);
    if (told[0] !== 403) return told;
  }
  if (order.undecided === undefined) {
    order.attempt += 1;
    order.undecided = body;
  }
  return settle(order);
}

async function answer(request: IncomingMessage): Promise<Told> {
  if (request.method === 'GET') return request.url === '/payments' ? [200, payments] : [404, {}];
  const token = request.headers.authorization?.replace(/^Bearer /, '') ?? '';
  const asked = JSON.parse(await text(request)) as { payee?: unknown; cents?: unknown; code?: unknown };
  if (request.url === '/orders') {
    const { payee, cents } = asked;
    if (!token || typeof payee !== 'string' || !Number.isSafeInteger(cents) || (cents as number) <= 0) return [422, {}];
    const id = randomBytes(16).toString('hex');
    const order: Order = { id, token, payee, cents: cents as number, attempt: 0, paid: false, turn: Promise.resolve() };
    orders.set(id, order);
    return [201, shown(order)];
  }
  const order = orders.get(request.url?.match(/^\/orders\/([0-9a-f]+)\/confirm$/)?.[1] ?? '');
  if (order?.token !== token) return [404, {}];
  const { code } = asked;
  if (typeof code !== 'string') return [422, {}];
  const told = order.turn.then(() => confirm(order, code));
  order.turn = told.catch(() => undefined);
  return told;
}

const server = createServer((request, response) => {
  // Nothing that stands in a request is written down.
  answer(request).catch((): Told => [422, {}]).then(([status, body]) => {
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  });
});
const [host, port] = listen.split(':');
server.listen(Number(port), host, () => {
  const address = server.address();
  if (address && typeof address === 'object') console.log(`shop at http://${address.address}:${address.port}`);
});
