"""privacyIDEA as it installs, on its own SQLite file, behind gunicorn.

setup DIR COUNT   makes the keys, the tables and COUNT TOTP tokens; their secrets are on standard input, one a line
serve DIR PIN     serves with 2 workers; PIN is "hashed" (as its own page enrols: the empty PIN has an Argon2 hash that is
                  checked each time) or "none" (the policy otppin=none); says where it is, ends with its standard input
"""

import os
import secrets
import socket
import subprocess
import sys
import time

CONFIG = """
SUPERUSER_REALM = ["super"]
SQLALCHEMY_DATABASE_URI = "sqlite:///{directory}/privacyidea.db"
SECRET_KEY = "{secret}"
PI_PEPPER = "{pepper}"
PI_ENCFILE = "{directory}/enckey"
PI_AUDIT_KEY_PRIVATE = "{directory}/private.pem"
PI_AUDIT_KEY_PUBLIC = "{directory}/public.pem"
PI_AUDIT_SQL_TRUNCATE = True
PI_LOGLEVEL = 30
PI_LOGFILE = "{directory}/privacyidea.log"
"""


def setup(directory, count):
    config = os.path.join(directory, "pi.cfg")
    with open(config, "w") as file:
        file.write(CONFIG.format(directory=directory, secret=secrets.token_hex(16), pepper=secrets.token_hex(16)))
    os.environ["PRIVACYIDEA_CONFIGFILE"] = config
    manage = os.path.join(os.path.dirname(sys.executable), "pi-manage")
    for step in ("create_enckey", "create_audit_keys", "create_tables"):
        subprocess.run([manage, "setup", step], check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    from privacyidea.app import create_app
    from privacyidea.lib.crypto import pass_hash
    from privacyidea.lib.token import init_token

    app = create_app(config_name="production", config_file=config, silent=True)
    with app.app_context():
        # Made once: checking it takes as long, and each would take a quarter of a second to make.
        empty_pin = pass_hash("")
        for number, secret in zip(range(count), sys.stdin):
            token = init_token({
                "type": "totp", "otpkey": secret.strip(), "serial": f"BENCH{number}", "timeStep": 30, "otplen": 6,
            })
            token.token.pin_hash = empty_pin
            token.save()


def serve(directory, pin):
    config = os.path.join(directory, "pi.cfg")
    os.environ["PRIVACYIDEA_CONFIGFILE"] = config

    from privacyidea.app import create_app
    from privacyidea.lib.policy import delete_policy, get_policies, set_policy

    app = create_app(config_name="production", config_file=config, silent=True)
    with app.app_context():
        if pin == "none":
            set_policy("bench", scope="authentication", action="otppin=none")
        elif any(policy["name"] == "bench" for policy in get_policies()):
            delete_policy("bench")

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    gunicorn = os.path.join(os.path.dirname(sys.executable), "gunicorn")
    application = f"privacyidea.app:create_app(config_name='production', config_file='{config}', silent=True)"
    process = subprocess.Popen(
        [gunicorn, "--workers", "2", "--threads", "4", "--bind", f"127.0.0.1:{port}", "--log-level", "error",
         "--keep-alive", "75", application],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            if process.poll() is not None:
                sys.exit(1)
            time.sleep(0.05)
    print(f"127.0.0.1:{port}", flush=True)
    sys.stdin.read()
    process.terminate()
    process.wait()


if __name__ == "__main__":
    if sys.argv[1] == "setup":
        setup(sys.argv[2], int(sys.argv[3]))
    else:
        serve(sys.argv[2], sys.argv[3])
