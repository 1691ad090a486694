"""OpenID Connect tokens as Google issues them, signed with a key of our own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from google.auth import crypt, jwt

ACCOUNT = "scheduler@p.iam.gserviceaccount.com"
AUDIENCE = "https://us-central1-p.cloudfunctions.net/run_pipeline"
KEY_ID = "a-key"


@dataclass(frozen=True)
class Answer:
    """What an HTTP client of google-auth gives."""

    status: int
    data: bytes
    headers: dict[str, str]


class Issuer:
    """Signs tokens with a key of its own, and shows its certificate."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        self._signer: Any = crypt.RSASigner.from_string(pem, KEY_ID)  # type: ignore[no-untyped-call]

    def token(self, now: datetime, **claims: Any) -> str:
        """A token that is right but for the claims given; None leaves one out."""
        payload = {
            "iss": "https://accounts.google.com",
            "aud": AUDIENCE,
            "email": ACCOUNT,
            "email_verified": True,
            "iat": int((now - timedelta(minutes=1)).timestamp()),
            "exp": int((now + timedelta(minutes=59)).timestamp()),
            **claims,
        }
        left = {name: value for name, value in payload.items() if value is not None}
        encoded: bytes = jwt.encode(self._signer, left)  # type: ignore[no-untyped-call]
        return encoded.decode()

    def certificates(self) -> Answer:
        """The answer of the address where the certificates are."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(self._key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        return Answer(
            200, json.dumps({KEY_ID: pem}).encode(), {"Cache-Control": "public, max-age=600"}
        )
