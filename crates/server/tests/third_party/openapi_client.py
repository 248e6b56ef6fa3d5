"""A client as its users would write it, on a package that openapi-python-client has made. Goes through what mobile
clients do; each way has a user of its own. Where a code was mailed it prints `mailed`, and reads it. At last it prints
what was answered as JSON, way by way.
Usage: openapi_client.py FOLDER-OF-THE-PACKAGE URL PASSWORD TOKENS, which is JSON with one token for each way"""

import importlib
import json
import pkgutil
import sys
from uuid import UUID

import pyotp

folder, url, password, tokens = sys.argv[1:]
sys.path.insert(0, folder)

import generated
from generated.api.default import (
    check_user_password,
    check_user_pin,
    check_user_pin_or_password,
    create_otp,
    create_totp,
    sendmail_otp,
    update_user_pin,
    verify_otp,
)
from generated.client import AuthenticatedClient
from generated.models import (
    CreateOtpBodyType0,
    CreateOtpBodyType1,
    CreateTotpBody,
    CreateTotpBodyData,
    CreateTotpBodyDataAttributes,
    UpdateUserPinBody,
    UpdateUserPinBodyData,
    UpdateUserPinBodyDataAttributes,
    VerifyOtpBody,
    VerifyOtpBodyTypesType0Item,
)
from generated.types import UNSET

# All of it can be imported, and not only what is used here.
for module in pkgutil.walk_packages(generated.__path__, "generated."):
    importlib.import_module(module.name)

PHONE = UUID("738e379f-fe30-45ab-819c-ba88804b6368")
KEY = "7f4df3a4-2f2c-4a52-b0a8-0d3f4f0c9b21"


class App:
    """Of one user. Keeps what it was answered."""

    def __init__(self, token):
        self.client = AuthenticatedClient(base_url=url, token=token)
        self.answers = []

    def call(self, operation, **arguments):
        answer = operation.sync_detailed(client=self.client, **arguments)
        refused = answer.status_code >= 400
        said = f"{answer.status_code.value} {answer.parsed.errors[0].code.value}" if refused else answer.status_code.value
        self.answers.append(said)
        return answer.parsed

    def mailed(self):
        self.call(sendmail_otp)
        print("mailed", flush=True)
        return sys.stdin.readline().strip()

    def enable_biometry(self, key=UNSET, **proof):
        data = CreateTotpBodyData(CreateTotpBodyDataAttributes(**proof), type_="deviceTOTP", id=PHONE)
        created = self.call(create_totp, body=CreateTotpBody(data), idempotency_key=key)
        assert created.data.id == PHONE, created
        return pyotp.TOTP(created.data.attributes.secret)

    def set_pin(self, pin, otp, key=UNSET):
        data = UpdateUserPinBodyData(UpdateUserPinBodyDataAttributes(otp=otp, pin=pin), type_="pin")
        self.call(update_user_pin, body=UpdateUserPinBody(data), idempotency_key=key)

    def otp_by_password(self):
        return self.call(create_otp, body=CreateOtpBodyType1(password=password)).otp

    def approve_by_pin(self):
        otp = self.call(create_otp, body=CreateOtpBodyType0(pin="8299")).otp
        self.call(verify_otp, body=VerifyOtpBody(otp=otp))

    def verify(self, otp, key=UNSET):
        body = VerifyOtpBody(otp=otp, types=[VerifyOtpBodyTypesType0Item.DEVICE_TOTP])
        self.call(verify_otp, body=body, idempotency_key=key)


def pin_by_password(app):
    app.call(check_user_password)
    app.call(check_user_pin)
    app.set_pin("8299", app.otp_by_password())
    app.call(check_user_pin)
    has = app.call(check_user_pin_or_password)
    assert has.pin and has.password, has
    app.approve_by_pin()


def biometry_by_pin(app):
    app.set_pin("8299", app.otp_by_password())
    app.verify(app.enable_biometry(pin="8299").now())


def biometry_by_password(app):
    otp = app.enable_biometry(password=password).now()
    app.verify(otp)
    app.verify(otp)


def biometry_by_mail(app):
    app.verify(app.enable_biometry(otp=app.mailed()).now())


def pin_by_mail_and_device(app):
    device = app.enable_biometry(otp=app.mailed())
    app.set_pin("1234", device.now())
    app.set_pin("8299", device.now())
    app.approve_by_pin()


def pin_by_mail(app):
    app.set_pin("8299", app.mailed())
    app.approve_by_pin()


def repeats(app):
    device = app.enable_biometry(KEY, password=password)
    assert app.enable_biometry(KEY, password=password).secret == device.secret
    otp = device.now()
    app.verify(otp, KEY)
    app.verify(otp, KEY)
    app.verify(otp)
    otp = app.otp_by_password()
    app.set_pin("8299", otp, KEY)
    app.set_pin("8299", otp, KEY)
    app.approve_by_pin()


answers = {}
for way, token in json.loads(tokens).items():
    app = App(token)
    globals()[way](app)
    answers[way] = app.answers
print(json.dumps(answers))
