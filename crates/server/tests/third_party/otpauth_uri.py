"""What pyotp makes of an otpauth URI. Input is one line of JSON with the URI and a time in seconds; so is the output."""

import json
import sys

import pyotp

asked = json.load(sys.stdin)
totp = pyotp.parse_uri(asked["uri"])
print(json.dumps({
    "name": totp.name, "issuer": totp.issuer, "secret": totp.secret, "digits": totp.digits, "period": totp.interval,
    "algorithm": totp.digest().name, "code": totp.at(asked["time"]),
}))
