"""What becomes of a good token without its key: forgeries of the classes of Project Wycheproof's JWS vectors, and the
few other spellings that are as good. Knows no library, only a token, its algorithm and its public key."""

import base64
import hashlib
import hmac
import itertools
import json

ORDERS = {
    "ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ES384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    "EdDSA": 2**252 + 27742317777372353535851937790883648493,
}
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
UNKNOWN = ["HS256", "HS384", "HS512", "ES512", "ES256K", "Ed448", "dir", "A128KW", "RSA-OAEP", ""]
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def encode(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else data.encode()).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def forgeries(token, alg, jwk, pem, der):
    """Yields class, name and token; `jwk`, `pem` and `der` are the public key."""
    header, payload, signature = token.split(".")
    raw = decode(signature)
    yield from signatures(header, payload, raw, alg, jwk)
    yield from headers_and_payloads(header, payload, signature, alg)
    yield from unsigned(header, payload, signature)
    yield from public_key_as_secret(header, payload, jwk, pem, der)
    yield from parts(header, payload, signature)
    yield from base64s(header, payload, signature)
    yield from serializations(header, payload, signature)


def signatures(header, payload, raw, alg, jwk):
    def forged(name, data):
        return "signature", name, f"{header}.{payload}.{encode(bytes(data))}"

    half = len(raw) // 2
    yield forged("empty", b"")
    yield forged("cut by one", raw[:-1])
    yield forged("cut to half", raw[:half])
    yield forged("one byte", raw[:1])
    yield forged("longer by one", raw + b"\0")
    yield forged("zero before it", b"\0" + raw)
    yield forged("twice", raw + raw)
    yield forged("zeros", bytes(len(raw)))
    yield forged("ones", b"\xff" * len(raw))
    yield forged("number 1", bytes(len(raw) - 1) + b"\1")
    yield forged("reversed", raw[::-1])
    for place in range(0, len(raw), max(1, len(raw) // 8)):
        yield forged(f"bit flipped in byte {place}", raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1:])
    if alg in ("ES256", "ES384"):
        yield from ecdsa(raw, half, ORDERS[alg], forged)
    if alg == "EdDSA":
        yield from ed25519(raw, forged)
    if alg[0] in "RP":
        modulus = int.from_bytes(decode(jwk["n"]), "big")
        number = int.from_bytes(raw, "big")
        yield forged("negated", (modulus - number).to_bytes(len(raw), "big"))
        yield forged("modulus", modulus.to_bytes(len(raw), "big"))
        yield forged("modulus less one", (modulus - 1).to_bytes(len(raw), "big"))
        yield forged("a modulus too much", (modulus + number).to_bytes(len(raw) + 1, "big"))


def ecdsa(raw, half, order, forged):
    r, s = (int.from_bytes(part, "big") for part in (raw[:half], raw[half:]))

    def of(r, s, size=half):
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    for name, pair in {
        "r is 0": (0, s), "s is 0": (r, 0), "both are 0": (0, 0), "r is 1": (1, s), "s is 1": (r, 1), "both are 1": (1, 1),
        "r is the order": (order, s), "s is the order": (r, order), "both are the order": (order, order),
        "r is 0 and s the order": (0, order), "r is 1 and s 0": (1, 0), "r is the order less one": (order - 1, s),
        "swapped": (s, r), "r negated": (order - r, s),
    }.items():
        yield forged(name, of(*pair))
    for name, pair in {"r and the order": (r + order, s), "s and the order": (r, s + order)}.items():
        yield forged(name + ", longer", of(*pair, half + 1))
    yield forged("with room to spare", of(r, s, half + 2))
    yield forged("as of a longer curve", of(r, s, 66))
    yield forged("without its zeros", of(r, s, half - 1) if max(r, s) < 256 ** (half - 1) else raw[1:])
    for name, der in {
        "DER": sequence(integer(r) + integer(s)), "DER with long lengths": b"\x30\x81" + sequence(integer(r) + integer(s))[1:],
        "DER of zeros": sequence(integer(0) + integer(0)), "DER and more": sequence(integer(r) + integer(s)) + b"\0",
    }.items():
        yield forged(name, der)


def integer(number):
    data = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return b"\x02" + bytes([len(data)]) + data


def sequence(data):
    return b"\x30" + bytes([len(data)]) + data


def ed25519(raw, forged):
    point, scalar = raw[:32], int.from_bytes(raw[32:], "little")
    order, prime = ORDERS["EdDSA"], 2**255 - 19

    def of(point, scalar):
        return point + scalar.to_bytes(32, "little")

    for times in (1, 2, 7):
        yield forged(f"s and {times} times the order", of(point, scalar + times * order))
    yield forged("s is 0", of(point, 0))
    yield forged("s is the order", of(point, order))
    yield forged("s with its highest bit", of(point, scalar | 2**255))
    yield forged("s negated", of(point, order - scalar))
    yield forged("the other sign of R", of(point[:31] + bytes([point[31] ^ 0x80]), scalar))
    for name, number in {"1": 1, "0": 0, "-1": prime - 1, "1 not reduced": prime + 1, "0 not reduced": prime,
                         "1 with a sign": 1 | 2**255}.items():
        small = number.to_bytes(32, "little")
        yield forged(f"R is {name}", of(small, scalar))
        yield forged(f"R is {name} and s 0", of(small, 0))


def headers_and_payloads(header, payload, signature, alg):
    members = json.loads(decode(header))
    claims = json.loads(decode(payload))

    def with_header(name, changed):
        return "header", name, f"{encode(changed if isinstance(changed, str) else json.dumps(changed))}.{payload}.{signature}"

    def with_payload(name, changed):
        return "payload", name, f"{header}.{encode(changed if isinstance(changed, str) else json.dumps(changed))}.{signature}"

    for other in ALGORITHMS + UNKNOWN + [alg.lower(), f"{alg} ", f" {alg}", f"{alg}\0", alg.swapcase()]:
        if other != alg:
            yield "algorithm", f"says {other!r}", with_header("", {**members, "alg": other})[2]
    yield with_header("without alg", {name: value for name, value in members.items() if name != "alg"})
    for other in (None, "", "x", "../kid", alg + "x", [alg], {"kid": alg}, 1):
        yield with_header(f"kid {other!r}", {**members, "kid": other})
    yield with_header("another member", {**members, "x": 1})
    yield with_header("a space more", decode(header).decode() + " ")
    yield with_payload("another user", {**claims, "sub": "thief"})
    yield with_payload("a longer life", {**claims, "exp": claims["exp"] + 1})
    yield with_payload("another scope", {**claims, "scope": "einmal:admin"})
    yield with_payload("a space more", decode(payload).decode() + " ")
    yield with_payload("empty object", "{}")
    yield with_payload("last byte gone", decode(payload).decode()[:-1])


def unsigned(header, payload, signature):
    spellings = {"".join(letters) for letters in itertools.product(*((c, c.upper()) for c in "none"))}
    members = json.loads(decode(header))
    for alg in sorted(spellings) + [" none", "none ", "none\0", "no\u006ee", "\uff4eone", "null", "None:", "plain"]:
        for what, kept in (("no", ""), ("the old", signature), ("a fake", encode(b"x"))):
            changed = encode(json.dumps({**members, "alg": alg}))
            yield "none", f"alg {alg!r} with {what} signature", f"{changed}.{payload}.{kept}"
    for bare in ('{"alg":"none"}', '{"alg":"none","typ":"JWT"}', '{"typ":"JWT"}', "{}", ""):
        yield "none", f"header {bare}", f"{encode(bare)}.{payload}."


def public_key_as_secret(header, payload, jwk, pem, der):
    members = json.loads(decode(header))
    secrets = {
        "PEM": pem, "PEM without its end": pem.rstrip(b"\n"), "PEM with CRLF": pem.replace(b"\n", b"\r\n"), "DER": der,
        "JWK": json.dumps(jwk).encode(), "JWK, short": json.dumps(jwk, separators=(",", ":")).encode(), "nothing": b"",
        "number": decode(jwk.get("n") or jwk["x"]), "number in base64": (jwk.get("n") or jwk["x"]).encode(),
        "kid": jwk["kid"].encode(),
    }
    for (what, secret), (alg, digest) in itertools.product(secrets.items(), {"HS256": "sha256", "HS384": "sha384",
                                                                            "HS512": "sha512"}.items()):
        for said in (alg, members["alg"]):
            text = f"{encode(json.dumps({**members, 'alg': said}))}.{payload}"
            tag = hmac.new(secret, text.encode(), getattr(hashlib, digest)).digest()
            yield "HMAC with the public key", f"{what}, {alg}, says {said}", f"{text}.{encode(tag)}"


def parts(header, payload, signature):
    token = f"{header}.{payload}.{signature}"
    for name, bad in {
        "nothing": "-", "one part": header, "two parts": f"{header}.{payload}", "dot before": f".{token}", "dot after": f"{token}.",
        "two dots": f"{header}..{payload}.{signature}", "two dots later": f"{header}.{payload}..{signature}", "dots": "...",
        "two dots alone": "..", "no header": f".{payload}.{signature}", "no payload": f"{header}..{signature}",
        "payload alone": f".{payload}.", "signature alone": f"..{signature}", "four parts": f"{header}.{payload}.{payload}.{signature}",
        "five parts": f"{header}.{payload}.{payload}.{payload}.{signature}", "header twice": f"{header}.{token}",
        "another order": f"{payload}.{header}.{signature}", "backwards": f"{signature}.{payload}.{header}",
        "signed by a token": f"{token}.{token}", "itself as payload": f"{header}.{encode(token)}.{signature}",
        "comma": f"{token},{token}", "cut": token[: len(token) // 2], "many dots": token + "." * 1000,
        "other separators": token.replace(".", ":"), "a header cut": f"{header[:-1]}.{payload}.{signature}",
        "a payload cut": f"{header}.{payload[:-1]}.{signature}",
    }.items():
        yield "parts", name, bad


def base64s(header, payload, signature):
    whole = [header, payload, signature]
    for index, what in enumerate(("header", "payload", "signature")):
        part = whole[index]

        def forged(name, changed):
            return "base64", f"{what}: {name}", ".".join(whole[:index] + [changed] + whole[index + 1:])

        for padding in ("=", "==", "===", "%3D"):
            yield forged(f"{padding!r} after it", part + padding)
        yield forged("padding in it", part[:4] + "=" + part[4:])
        for blank in (" ", "\t", "\n", "\r\n", "\0", "\u00a0", "%20", "%0a", "\\n"):
            yield forged(f"{blank!r} before it", blank + part)
            yield forged(f"{blank!r} in it", part[:5] + blank + part[5:])
            yield forged(f"{blank!r} after it", part + blank)
        for strange in "!*~$,;'\"(){}/+|\u00e9\uff21":
            yield forged(f"{strange!r} in it", part[:8] + strange + part[9:])
            yield forged(f"{strange!r} more in it", part[:8] + strange + part[8:])
        # A length that no bytes have.
        yield forged("a character more", part + "A" * ((5 - len(part) % 4) % 4 or 1))
        free = {2: 4, 3: 2}.get(len(part) % 4, 0)
        for bits in range(1, 2**free):
            last = ALPHABET[ALPHABET.index(part[-1]) | bits]
            yield forged(f"unused bits {bits}", part[:-1] + last)
        if "-" in part or "_" in part:
            yield forged("the other alphabet", part.replace("-", "+").replace("_", "/"))
        yield forged("hexadecimal", decode(part).hex())
        yield forged("as it is", decode(part).decode("latin1").replace(".", ""))


def serializations(header, payload, signature):
    protected = {"protected": header, "signature": signature}
    for name, bad in {
        "flattened": {"payload": payload, **protected}, "general": {"payload": payload, "signatures": [protected]},
        "with two signatures": {"payload": payload, "signatures": [protected, protected]},
        "with a header that nothing protects": {"payload": payload, "header": {"alg": "none"}, "signature": ""},
        "compact in JSON": f"{header}.{payload}.{signature}",
    }.items():
        yield "serialization", name, json.dumps(bad, separators=(",", ":"))


def other_spellings(token, alg):
    """Name and token of what is another spelling and as good."""
    header, payload, signature = token.split(".")
    if alg in ("ES256", "ES384"):
        raw = decode(signature)
        half = len(raw) // 2
        negated = ORDERS[alg] - int.from_bytes(raw[half:], "big")
        yield "s negated, which is as right", f"{header}.{payload}.{encode(raw[:half] + negated.to_bytes(half, 'big'))}"
