#!/usr/bin/env python3
"""A shop's back end that asks for a one-time password before it pays. Needs nothing but Python 3.9.

    payments.py EINMAL_URL HOST:PORT        # payments.py http://127.0.0.1:8080 127.0.0.1:8300

It never pays for anything but a 204, never sends another key or another body while it does not know what became of the
first, and writes no code and no token anywhere. What is a sketch: orders are in memory, a real shop has a database; and who
calls is told by the access token alone, a real shop has sessions. docs/PAYMENTS.md has the reasons.
"""
import json
import secrets
import sys
import threading
import time
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

TRIES = 3
PATIENCE_SECONDS = 15
EINMAL, LISTEN = sys.argv[1], sys.argv[2]
HTTP = build_opener(ProxyHandler({}))
ORDERS, PAYMENTS = {}, []


class Order:
    """What is to be paid, to whom, and for whom: fixed when it is made, and looked up here when it is confirmed."""

    def __init__(self, token, payee, cents):
        self.id, self.token, self.payee, self.cents = secrets.token_hex(16), token, payee, cents
        self.attempt = 0
        self.undecided = None  # the body of an attempt of which nobody knows what became
        self.paid = False
        self.lock = threading.Lock()

    def shown(self):
        return {"order": self.id, "payee": self.payee, "cents": self.cents}


def ask(order):
    """Sends the attempt until there is a decision: its status, the error's code and the time to wait; or None."""
    request = Request(f"{EINMAL}/user/2025-1/user/otp/verify", data=order.undecided, headers={
        "Authorization": f"Bearer {order.token}",
        "Content-Type": "application/json",
        # The same for the same attempt, however often it is sent.
        "Idempotency-Key": f"{order.id}-{order.attempt}",
    })
    for number in range(TRIES):
        wait = 0.2
        try:
            with HTTP.open(request, timeout=PATIENCE_SECONDS) as answer:
                return answer.status, None, None
        except HTTPError as error:
            seconds = int(error.headers.get("Retry-After") or 0)
            if error.code < 500 and error.code != 408:
                return error.code, json.load(error)["errors"][0]["code"], seconds
            wait = min(max(seconds, wait), 5)
        except (OSError, HTTPException, ValueError, LookupError):
            pass  # the answer is lost, or is none of einmal's
        if number + 1 < TRIES:
            time.sleep(wait)
    return None


def settle(order):
    """What becomes of the order by the attempt that is under way."""
    answer = ask(order)
    if answer is None:
        return 503, {"state": "unknown"}
    status, code, seconds = answer
    if status == 204:
        order.paid, order.undecided = True, None
        PAYMENTS.append(order.shown())
        return 200, {"state": "paid"}
    if code in ("otp-invalid", "throttled"):
        order.undecided = None
        return 403, {"state": "refused", "retryAfter": seconds or None}
    if status in (401, 403):
        return 401, {"state": "signed-out"}
    return 502, {"state": "fault"}


def confirm(order, code):
    with order.lock:
        if order.paid:
            return 200, {"state": "paid"}
        body = json.dumps({"otp": code, "types": ["device-totp", "totp"]}).encode()
        if order.undecided not in (None, body):
            # An earlier code may have been accepted: that is found out before another one is spent.
            status, told = settle(order)
            if status != 403:
                return status, told
        if order.undecided is None:
            order.attempt += 1
            order.undecided = body
        return settle(order)


class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Nothing that stands in a request is written down."""

    def answer(self, status, told):
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200, PAYMENTS) if self.path == "/payments" else self.answer(404, {})

    def do_POST(self):
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        try:
            asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            if self.path == "/orders":
                payee, cents = asked["payee"], asked["cents"]
                if not (token and isinstance(payee, str) and isinstance(cents, int) and cents > 0):
                    raise ValueError
                order = Order(token, payee, cents)
                ORDERS[order.id] = order
                return self.answer(201, order.shown())
            order = ORDERS.get(self.path.removeprefix("/orders/").removesuffix("/confirm"))
            if order is None or not secrets.compare_digest(order.token, token):
                return self.answer(404, {})
            return self.answer(*confirm(order, str(asked["code"])))
        except (ValueError, LookupError, TypeError):
            return self.answer(422, {})


host, port = LISTEN.rsplit(":", 1)
server = ThreadingHTTPServer((host, int(port)), Shop)
print(f"shop at http://{host}:{server.server_port}", flush=True)
server.serve_forever()
