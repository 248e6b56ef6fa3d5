"""Prints passwords and their hashes as argon2-cffi, bcrypt and passlib make them, one JSON object a line.

Usage: password_hashes.py SEED
"""

import json
import random
import sys

import argon2
import bcrypt
from passlib.hash import pbkdf2_sha256, pbkdf2_sha512, scrypt

draw = random.Random(int(sys.argv[1]))

PASSWORDS = [
    "8299",
    "correct horse battery staple",
    "Füße, naïve, 密码, 🔑",
    " spaces at both ends ",
    "$2b$04$looks like a hash",
    "x" * 71,
    "y" * 200,
    "\x01\x7f",
]


def argon2_hashes(password):
    for kind in (argon2.low_level.Type.ID, argon2.low_level.Type.I, argon2.low_level.Type.D):
        for version in (0x13, 0x10):
            for time, memory, lanes, length in ((1, 8, 1, 16), (3, 64, 4, 32), (2, 1024, 2, 64)):
                yield argon2.low_level.hash_secret(
                    password.encode(), draw.randbytes(16), time, memory, lanes, length, kind, version
                ).decode()
    # What the libraries' own defaults give.
    yield argon2.PasswordHasher().hash(password)


def bcrypt_hashes(password):
    # From 5.0 on this library refuses what others cut off.
    key = password.encode()[:72]
    for prefix in (b"2a", b"2b"):
        yield bcrypt.hashpw(key, bcrypt.gensalt(4, prefix)).decode()
    yield bcrypt.hashpw(key, bcrypt.gensalt(4)).decode().replace("$2b$", "$2y$", 1)


def passlib_hashes(password):
    for rounds, block_size, parallelism in ((1, 1, 1), (4, 8, 1), (10, 8, 3)):
        yield scrypt.using(rounds=rounds, block_size=block_size, parallelism=parallelism).hash(password)
    for handler in (pbkdf2_sha256, pbkdf2_sha512):
        for rounds in (1, 1000, 25000):
            yield handler.using(rounds=rounds).hash(password)


for password in PASSWORDS:
    for maker in (argon2_hashes, bcrypt_hashes, passlib_hashes):
        for encoded in maker(password):
            print(json.dumps({"password": password, "hash": encoded}))
