"""Prints random TOTP settings and the codes that pyotp computes for them, one JSON object a line."""

import base64
import hashlib
import json
import random
import sys

import pyotp

DIGESTS = {"SHA1": hashlib.sha1, "SHA256": hashlib.sha256, "SHA512": hashlib.sha512}

random.seed(int(sys.argv[2]))
for _ in range(int(sys.argv[1])):
    algorithm = random.choice(list(DIGESTS))
    # pyotp refuses secrets of less than 112 bits, the least of RFC 4226.
    secret = base64.b32encode(random.randbytes(random.randint(14, 128))).decode().rstrip("=")
    digits, period = random.randint(6, 8), random.randint(15, 120)
    time = random.randrange(0, 2**40)
    totp = pyotp.TOTP(secret, digits=digits, digest=DIGESTS[algorithm], interval=period)
    print(json.dumps({
        "secret": secret, "algorithm": algorithm, "digits": digits, "period": period, "time": time,
        "code": totp.generate_otp(time // period),
    }))
