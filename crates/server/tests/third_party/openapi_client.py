"""A client as its users would write it, on a package that openapi-python-client has made. Prints what was answered as
JSON. Usage: openapi_client.py FOLDER-OF-THE-PACKAGE URL TOKEN CODE"""

import importlib
import json
import pkgutil
import sys

folder, url, token, code = sys.argv[1:]
sys.path.insert(0, folder)

import generated
from generated.api.default import verify_otp
from generated.client import AuthenticatedClient
from generated.models import ErrorCode, VerifyOtpBody, VerifyOtpBodyTypesType0Item

# All of it can be imported, and not only what is used here.
for module in pkgutil.walk_packages(generated.__path__, "generated."):
    importlib.import_module(module.name)

body = VerifyOtpBody(otp=code, types=[VerifyOtpBodyTypesType0Item.DEVICE_TOTP])
with AuthenticatedClient(base_url=url, token=token) as client:
    first = verify_otp.sync_detailed(client=client, body=body)
    second = verify_otp.sync_detailed(client=client, body=body)

error = second.parsed.errors[0]
assert error.code is ErrorCode.OTP_INVALID, error
answers = [{"status": first.status_code}, {"status": second.status_code, "code": error.code, "about": error.links.about}]
print(json.dumps(answers))
