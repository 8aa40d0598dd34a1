"""Fetching a certificate from an issuer that speaks ACME (RFC 8555), by the library of the Certbot project.

The issuer looks, on port 80 of the domain, at an address it chose: nginx answers it from a folder of the home.
"""

import datetime
import os
from pathlib import Path

import requests
from acme import challenges, client, crypto_util, errors, messages
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from flask_babel import gettext as _
from josepy.errors import Error as SignatureError
from josepy.jwk import JWKRSA

from appliance import own_certificate, whole_files
from appliance.errors import Busy, Refused
from appliance.settings import Settings

ACCOUNT = "acme_account.pem"
SECONDS = 120
AGENT = "bentevi"
Order = messages.OrderResource


def fetch(machine: Settings, domain: str, email: str, directory: str) -> bytes:
    """Key, certificate and chain for the domain, PEM. Raises Busy or Refused with what the issuer said."""
    try:
        account = _account(machine)
        net = client.ClientNetwork(account, user_agent=AGENT, timeout=30)
        issuer = client.ClientV2(client.ClientV2.get_directory(directory, net), net)
        _sign_in(issuer, email)
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        order = issuer.new_order(crypto_util.make_csr(private, [domain]))
        answered = _answer(issuer, order, account, own_certificate.acme_folder(machine.home))
        try:
            done = issuer.poll_and_finalize(order, datetime.datetime.now() + datetime.timedelta(seconds=SECONDS))  # noqa: DTZ005  the library counts so
        finally:
            for file in answered:
                file.unlink(missing_ok=True)
        return private + done.fullchain_pem.encode()
    except errors.ValidationError as why:
        raise Busy(_("The issuer could not see this machine by the name %(domain)s: %(why)s", domain=domain, why=_seen(why))) from None
    except messages.Error as why:
        raise Refused(_("The issuer refuses: %(why)s", why=str(why.detail or why)[:300])) from None
    except (errors.Error, requests.RequestException, SignatureError, ValueError) as why:
        raise Busy(_("The issuer %(address)s does not answer as expected: %(why)s", address=directory, why=str(why)[:200])) from None


def _account(machine: Settings) -> JWKRSA:
    """The key by which the issuer knows this home."""
    file = machine.secrets / ACCOUNT
    if not file.exists():
        made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        whole_files.write(file, made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    found = JWKRSA.load(file.read_bytes())
    assert isinstance(found, JWKRSA)
    return found


def _sign_in(issuer: client.ClientV2, email: str) -> None:
    """A new account, or the one this key has."""
    try:
        issuer.new_account(messages.NewRegistration.from_data(email=email or None, terms_of_service_agreed=True))
    except errors.ConflictError as known:
        issuer.net.account = issuer.query_registration(messages.RegistrationResource(body=messages.Registration(), uri=known.location))


def _answer(issuer: client.ClientV2, order: Order, account: JWKRSA, answers: Path) -> list[Path]:
    """Lay the answers out where nginx finds them, and say that they are there."""
    laid = []
    answers.mkdir(parents=True, exist_ok=True, mode=0o755)
    for authorization in order.authorizations:
        if authorization.body.status == messages.STATUS_VALID:
            continue  # a former order proved it
        wanted = next((one for one in authorization.body.challenges if isinstance(one.chall, challenges.HTTP01)), None)
        if wanted is None:
            raise Refused(_("The issuer offers no way to prove the domain by port 80."))
        response, text = wanted.response_and_validation(account)
        file = answers / wanted.chall.encode("token")
        if file.parent != answers:
            raise Busy(_("The issuer's answer is not understood."))
        file.write_text(text)
        os.chmod(file, 0o644)
        laid.append(file)
        issuer.answer_challenge(wanted, response)
    return laid


def _seen(why: errors.ValidationError) -> str:
    """What the issuer says it met."""
    told = [str(one.error.detail or one.error) for authorization in why.failed_authzrs for one in authorization.body.challenges if one.error]
    return "; ".join(told)[:300] or str(why)[:300]
