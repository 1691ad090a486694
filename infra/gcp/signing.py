"""Signing in the name of the service account that this runs as, without a key: IAM does it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from google.auth import credentials, iam

from shared.errors import Rejected

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class IamSigner(credentials.Signing):
    """What Google's clients ask to sign. A signature is one call of IAM's ``signBlob``."""

    def __init__(self, request: Any, identity: Any, account: str) -> None:
        self._signer = iam.Signer(request, identity, account)  # type: ignore[no-untyped-call]
        self._account = account

    def sign_bytes(self, message: bytes) -> bytes:
        signed: bytes = self._signer.sign(message)
        return signed

    @property
    def signer_email(self) -> str:
        return self._account

    @property
    def signer(self) -> Any:
        return self._signer


def signer(emulator_host: str | None) -> IamSigner:
    """Signs as the account of the environment, or at what stands in for IAM at ``host:port``.

    Raises Rejected for an identity that is no service account.
    """
    import google.auth
    from google.auth.transport.requests import Request

    request = Request()
    if emulator_host is not None:
        anonymous = credentials.AnonymousCredentials()  # type: ignore[no-untyped-call]
        return IamSigner(_redirected(request, emulator_host), anonymous, "emulator@localhost")
    identity: Any
    identity, _ = google.auth.default(scopes=[_SCOPE])
    # On Google Cloud the account's name is known only after a token was fetched.
    identity.refresh(request)
    account = getattr(identity, "service_account_email", None)
    if not account or "@" not in account:
        raise Rejected(
            "Links are signed by a service account: run where one is attached, or impersonate one "
            "(`gcloud auth application-default login --impersonate-service-account=...`)."
        )
    return IamSigner(request, identity, account)


def _redirected(request: Any, host: str) -> Any:
    def ask(url: str, **options: Any) -> Any:
        address = urlsplit(url)
        return request(url=urlunsplit(("http", host, address.path, address.query, "")), **options)

    return ask
