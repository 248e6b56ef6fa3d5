"""A mail server by aiosmtpd, and mails as Python's own library reads them.

Usage: mail_server.py [CERTIFICATE KEY USER PASSWORD]
Prints its port, then one JSON object a line for each mail. With a certificate it wants STARTTLS and a password.
"""

import email
import email.policy
import json
import ssl
import sys
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


def say(value):
    print(json.dumps(value), flush=True)


class Handler:
    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = [part for part in message.walk() if not part.is_multipart()]
        say(
            {
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "user": session.auth_data,
                "headers": [[name, str(value)] for name, value in message.items()],
                "type": message.get_content_type(),
                "parts": [{"type": part.get_content_type(), "text": part.get_content()} for part in parts],
                "defects": [repr(defect) for part in message.walk() for defect in part.defects],
            }
        )
        return "250 taken"


def options(arguments):
    if not arguments:
        return {}
    certificate, key, user, password = arguments
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    def authenticate(server, session, envelope, mechanism, data):
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (user.encode(), password.encode())
        return AuthResult(success=good, auth_data=user if good else None)

    return {
        "tls_context": context,
        "require_starttls": True,
        "authenticator": authenticate,
        "auth_required": True,
        "auth_require_tls": True,
    }


class AnyPort(Controller):
    """The base class connects to the port that it was given, to see whether the server is there."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


controller = AnyPort(Handler(), hostname="127.0.0.1", port=0, **options(sys.argv[1:]))
controller.start()
say({"port": controller.port})
threading.Event().wait()
