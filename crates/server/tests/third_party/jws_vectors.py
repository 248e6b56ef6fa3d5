"""Signed tokens in the classes of Project Wycheproof's JWS vectors, by joserfc; and with them forgeries of the tokens that
another library signed, which come in on standard input as {"jwks", "good"}.

Arguments: issuer, time in seconds. One JSON document: the key set, and the vectors with whether each is good, or why it
is refused though it is right."""

import json
import sys
import warnings

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from joserfc import jws
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from jws_forgeries import ALGORITHMS, encode, forgeries, other_spellings

warnings.simplefilter("ignore")
issuer, time = sys.argv[1], int(sys.argv[2])
claims = {"iss": issuer, "aud": "einmal", "sub": "driver", "iat": time, "exp": time + 300, "scope": "user:otp:verify"}
vectors = []


def add(library, kind, name, token, good=False, reason=None):
    vectors.append({"library": library, "class": kind, "name": name, "token": token, "good": good, "reason": reason})


def key_for(alg, kid):
    parameters = {"alg": alg, "use": "sig", "kid": kid}
    if alg[0] in "RP":
        return RSAKey.generate_key(2048, parameters)
    if alg.startswith("ES"):
        curve = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "secp256k1"}[alg]
        return ECKey.generate_key(curve, parameters)
    return OKPKey.generate_key("Ed25519", parameters)


def sign(alg, key, header, payload):
    """Signs whatever texts there are: the library would correct them."""
    text = f"{encode(header)}.{encode(payload)}"
    signer = jws.JWSRegistry(algorithms=[alg]).get_alg(alg)
    return f"{text}.{encode(signer.sign(text.encode(), key))}"


def is_right(token, alg, jwk):
    try:
        return bool(jws.deserialize_compact(token, JWKRegistry.import_key(jwk), algorithms=[alg]))
    except Exception:
        return False


def forge(library, alg, token, key):
    jwk = key.as_dict(private=False)
    assert is_right(token, alg, jwk), (library, alg)
    for kind, name, bad in forgeries(token, alg, jwk, key.as_pem(private=False), key.as_der(private=False)):
        add(library, kind, f"{alg}: {name}", bad)
    for name, right in other_spellings(token, alg):
        assert is_right(right, alg, jwk), (library, alg, name)
        add(library, "spelling", f"{alg}: {name}", right, good=True)


def headers(alg, kid, key, stranger):
    """Headers and payloads under an honest signature."""
    usual, body = {"alg": alg, "kid": kid, "typ": "at+jwt"}, json.dumps(claims)
    public = stranger.as_dict(private=False)

    def one(kind, name, header, payload=body, good=False, reason=None, by=key):
        header = header if isinstance(header, (str, bytes)) else json.dumps(header)
        add("joserfc", kind, f"{alg}: {name}", sign(alg, by, header, payload), good, reason)

    one("honest", "as it should be", usual, good=True)
    one("honest", "as the library writes it", usual, good=True)
    vectors[-1]["token"] = jws.serialize_compact(usual, body, key, algorithms=[alg])
    for name, header in {
        "white space": f' {{ "alg" :\n"{alg}" ,\t"kid":"{kid}" }} ', "escaped name": f'{{"\\u0061lg":"{alg}","k\\u0069d":"{kid}"}}',
        "escaped value": f'{{"alg":"\\u00{ord(alg[0]):x}{alg[1:]}","kid":"{kid}"}}', "unknown members": {**usual, "x": {"alg": "none"}},
        "no typ": {"alg": alg, "kid": kid}, "typ JWT": {**usual, "typ": "JWT"}, "zip, which means nothing": {**usual, "zip": "DEF"},
        "foreign jwk for decoration": {**usual, "jwk": public}, "foreign jku for decoration": {**usual, "jku": "https://example.com/k"},
        "foreign x5c for decoration": {**usual, "x5c": ["AAAA"]}, "no kid where one key fits": {"alg": alg},
        "null kid where one key fits": {"alg": alg, "kid": None}, "empty kid where one key fits": {"alg": alg, "kid": ""},
    }.items():
        one("honest", name, header, good=True)
    for name, header in {
        "alg twice": f'{{"alg":"{alg}","alg":"{alg}","kid":"{kid}"}}', "alg twice, once none": f'{{"alg":"none","alg":"{alg}","kid":"{kid}"}}',
        "alg twice, once escaped": f'{{"alg":"{alg}","\\u0061lg":"none","kid":"{kid}"}}',
        "kid twice": f'{{"alg":"{alg}","kid":"{kid}","kid":"x"}}', "typ twice": f'{{"alg":"{alg}","kid":"{kid}","typ":"JWT","typ":"id+jwt"}}',
        "unknown twice": f'{{"alg":"{alg}","kid":"{kid}","x":1,"x":1}}',
    }.items():
        one("duplicates", name, header)
    for member in ("sub", "exp", "iss", "aud", "x"):
        twice = body[:-1] + f', "{member}": {json.dumps(claims.get(member, 1))}, "\\u00{ord(member[0]):x}{member[1:]}": 1}}'
        one("duplicates", f"{member} twice in the payload", usual, twice)
    for crit in ([], ["exp"], ["b64"], ["x"], ["alg"], "x", None, True, {}, [1]):
        one("crit", f"crit {crit!r}", {**usual, "crit": crit, "x": 1, "exp": 1})
    for b64 in (False, True, None, "false", 0):
        one("b64", f"b64 {b64!r}", {**usual, "b64": b64})
        one("b64", f"b64 {b64!r} with crit", {**usual, "b64": b64, "crit": ["b64"]})
    for other in [other for other in ALGORITHMS if other != alg]:
        one("kid", f"kid of {other}", {**usual, "kid": f"joserfc-{other}"})
    for odd in ("nobody", f"{kid} ", f" {kid}", kid.upper() + "\0", f"{kid}\0", "../../../keys", "https://example.com/k", "' OR 1=1 --",
                "\uff4aoserfc", 1, 1.5, True, [kid], {"kid": kid}):
        one("kid", f"kid {odd!r}", {**usual, "kid": odd})
    for name, header in {
        "its own jwk": {"alg": alg, "jwk": public}, "its own jwk and our kid": {**usual, "jwk": public}, "our kid alone": usual,
        "no kid": {"alg": alg}, "jku": {**usual, "jku": "https://example.com/keys"}, "x5u": {**usual, "x5u": "https://example.com/c"},
        "x5c": {**usual, "x5c": [encode(stranger.as_der(private=False))]}, "x5t": {"alg": alg, "x5t": "AAAA"},
        "jwk with our kid": {**usual, "jwk": {**public, "kid": kid}},
    }.items():
        one("stranger", name, header, by=stranger)
    for typ in ("id+jwt", "logout+jwt", "dpop+jwt", "JOSE", "", "JWE", ["JWT"], None, 1):
        one("typ", f"typ {typ!r}", {**usual, "typ": typ})
    good = json.dumps(usual)
    for name, header in {
        "an array": f"[{good}]", "a string": json.dumps(good), "a number": "1", "null": "null", "an empty object": "{}", "empty": "",
        "cut off": good[:-1], "more after it": good + "{}", "a comma": good[:-1] + ",}", "a comment": good[:-1] + "/**/}",
        "single quotes": good.replace('"', "'"), "a byte order mark": "\ufeff" + good, "UTF-16": good.encode("utf-16"),
        "no UTF-8": good[:-1].encode() + b',"x":"\xff"}', "an overlong NUL": good[:-1].encode() + b',"x":"\xc0\x80"}', "NaN": good[:-1] + ',"x":NaN}',
        "a control character": good[:-1] + ',"x":"\n"}', "half a surrogate in kid": f'{{"alg":"{alg}","kid":"\\ud800"}}', "NUL after it": good + "\0",
        "alg in an array": {**usual, "alg": [alg]}, "alg null": {**usual, "alg": None}, "alg in an object": {**usual, "alg": {"alg": alg}},
    }.items():
        one("JSON", f"header: {name}", header)
    for name, payload in {
        "an array": f"[{body}]", "a string": json.dumps(body), "null": "null", "empty": "", "cut off": body[:-1], "more after it": body + "{}",
        "a byte order mark": "\ufeff" + body, "no UTF-8": body[:-1].encode() + b',"x":"\xff"}', "a comma": body[:-1] + ",}",
    }.items():
        one("JSON", f"payload: {name}", usual, payload)
    inner = sign(alg, key, json.dumps(usual), body)
    one("nested", "a token in a token", {**usual, "cty": "JWT"}, inner)
    one("nested", "a token in a string", {**usual, "cty": "JWT"}, json.dumps(inner))
    one("nested", "a token in a claim", {**usual, "cty": "JWT"}, json.dumps({"jwt": inner}))
    encoded = f"{encode(json.dumps({**usual, 'b64': False, 'crit': ['b64']}))}."
    signer = jws.JWSRegistry(algorithms=[alg]).get_alg(alg)
    for name, payload in {"as it is": body, "in base64": encode(body)}.items():
        detached = encode(signer.sign((encoded + payload).encode(), key))
        add("joserfc", "b64", f"{alg}: payload {name}, signed so", f"{encoded}{encode(body)}.{detached}")
        add("joserfc", "b64", f"{alg}: payload {name}, detached", f"{encoded}.{detached}")


def rsa_schemes(alg, key):
    """The right key, and another scheme than the header says."""
    digests = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512(), "1": hashes.SHA1()}
    own, text = alg[2:], f"{encode(json.dumps({'alg': alg, 'kid': key.as_dict()['kid']}))}.{encode(json.dumps(claims))}"

    def pss(digest, salt, mask=None):
        return padding.PSS(padding.MGF1(mask or digest), salt)

    schemes = {f"PKCS#1 with SHA-{size}": (padding.PKCS1v15(), digest) for size, digest in digests.items() if size != own or alg[0] == "P"}
    schemes |= {f"PSS with SHA-{size}": (pss(digest, digest.digest_size), digest) for size, digest in digests.items()
                if size != own or alg[0] == "R"}
    if alg[0] == "P":
        own = digests[own]
        schemes["PSS without salt"] = (pss(own, 0), own)
        schemes["PSS with a short salt"] = (pss(own, own.digest_size - 1), own)
        schemes["PSS with the longest salt"] = (pss(own, padding.PSS.MAX_LENGTH), own)
        schemes["PSS with another mask"] = (pss(own, own.digest_size, hashes.SHA1()), own)
    for name, (scheme, digest) in schemes.items():
        signature = key.private_key.sign(text.encode(), scheme, digest)
        add("joserfc", "RSA scheme", f"{alg}: {name}", f"{text}.{encode(signature)}")


def weak_keys(jwks):
    """Published keys that must not check anything, and two that may. Names say what is wrong."""
    def publish(kid, key, alg, good=False, reason=None, **changes):
        jwk = {**key.as_dict(private=False), "kid": kid, "alg": alg, "use": "sig", **changes}
        jwks.append({name: value for name, value in jwk.items() if value is not None})
        add("joserfc", "keys", f"{alg}: {kid}", sign(alg, key, json.dumps({"alg": alg, "kid": kid}), json.dumps(claims)), good, reason)

    def of(size, exponent=65537):
        key = rsa.generate_private_key(exponent, size)
        plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return RSAKey.import_key(key.private_bytes(*plain))

    for size in (1024, 1536, 2040):
        publish(f"RSA of {size} bits", of(size), "RS256")
    publish("RSA of 3072 bits", of(3072), "RS256", good=True)
    publish("RSA with the exponent 3", of(2048, 3), "RS256", good=True)
    usual = {alg: key_for(alg, "x") for alg in ("RS256", "PS256", "ES256", "ES384", "EdDSA")}
    for alg, key in usual.items():
        publish(f"{alg} to encrypt", key, alg, use="enc")
        publish(f"{alg} to sign alone", key, alg, use=None, key_ops=["sign"])
        publish(f"{alg} with a use that is no text", key, alg, use=["sig"])
        publish(f"{alg} of another type", key, alg, kty="oct", k="AAAA")
    publish("ES256 on another curve", usual["ES256"], "ES256", crv="P-384")
    publish("ES384 on another curve", usual["ES384"], "ES384", crv="P-256")
    publish("ES256 off the curve", usual["ES256"], "ES256", y=usual["ES256"].as_dict()["x"])
    publish("EdDSA as X25519", usual["EdDSA"], "EdDSA", crv="X25519")
    for alg in ("ES512", "ES256K"):
        publish(f"a key for {alg}", key_for(alg, alg), alg, reason="not among the algorithms of einmal")
    publish("a key by the name of RFC 9864", key_for("Ed25519", "x"), "Ed25519", good=True)


peer = json.load(sys.stdin)
published, only_ours = list(peer["jwks"]), []
for jwk in peer["jwks"]:
    forge("jose", jwk["alg"], peer["good"][jwk["alg"]], JWKRegistry.import_key(jwk))
for alg in ALGORITHMS:
    key, stranger = key_for(alg, f"joserfc-{alg}"), key_for(alg, "stranger")
    only_ours.append(key.as_dict(private=False))
    token = sign(alg, key, json.dumps({"alg": alg, "kid": f"joserfc-{alg}", "typ": "at+jwt"}), json.dumps(claims))
    forge("joserfc", alg, token, key)
    headers(alg, f"joserfc-{alg}", key, stranger)
    if alg[0] in "RP":
        rsa_schemes(alg, key)
weak = []
weak_keys(weak)
print(json.dumps({"jose": published, "joserfc": only_ours, "keys": weak, "vectors": vectors}))
