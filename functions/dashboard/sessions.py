"""Sessions of people who signed in with an API key, so that no key stands in an address.

The cookie names the key, never its secret, and is signed; the key is looked up again with every
request, so one that is revoked, expired or rotated ends its sessions at once. Only the dashboard
reads the cookie: the API takes keys alone, and cannot be made to act by a page elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import urlsplit

from flask import current_app, g, request, url_for
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.wrappers import Response

from functions.api.access import ADMIN, READ, WRITE, anonymous, identified
from shared import audit, auth, sign_in
from shared.auth import Key, Role
from shared.context import Caller, Services
from shared.errors import Forbidden, Unauthenticated
from shared.kept_secrets import kept_secret
from shared.models import iso

COOKIE = "leaderboard_session"
LASTS = timedelta(hours=12)
TOKEN_FIELD = "csrf"  # noqa: S105 - the name of a field
_SAME_SITE = ("same-origin", "none")
_SECRET = "dashboard_session_secret"  # noqa: S105 # pragma: allowlist secret - a name too


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in. ``token`` goes with every form that changes something."""

    key: Key
    token: str
    until: str
    caller: Caller

    @property
    def is_admin(self) -> bool:
        return self.key.allows(ADMIN)

    @property
    def writes(self) -> bool:
        return self.key.allows(WRITE)


def current(services: Services) -> Session | None:
    """The session of this request, looked up once. Without a cookie nothing is read."""
    if "session_found" not in g:
        g.session_found = _find(services)
    found: Session | None = g.session_found
    return found


def reads_costs(services: Services) -> bool:
    """True if this reader may see what is spent: everybody on one machine, elsewhere with a key.

    As the API has it. A key may come as a session or as a header; a wrong one counts for nothing.
    """
    if services.settings.backend == "local":
        return True
    session = current(services)
    if session is not None:
        return session.key.allows(READ)
    who = identified(services)
    return who.key is not None and who.key.allows(READ)


def begin(services: Services, text: str, response: Response) -> Key:
    """Sign in with a key: the response gets the cookie. Raises Unauthenticated for a wrong one."""
    check_origin()
    caller = anonymous(request, g.request_id, services.settings)
    key = auth.authenticate(services, text.strip() or None, caller)
    found = None if key is None else auth.named(services, key.id)
    if found is None:
        raise Unauthenticated("This API key is not known.")
    open_for(services, *found, response)
    return found[0]


def open_for(
    services: Services, key: Key, fingerprint: str, response: Response, account: int | None = None
) -> None:
    """Begin a session of a key, for an account on GitHub that stands for it where one is given."""
    payload = {
        "key": key.id,
        "fits": fingerprint,
        "until": iso(services.now() + LASTS),
        "nonce": secrets.token_urlsafe(16),
        "account": account,
    }
    services.documents.write(
        [
            audit.record(
                services,
                _caller(services, key),
                "auth.signed_in",
                ("key", key.id),
                "Signed in to the pages",
            )
        ]
    )
    response.set_cookie(
        COOKIE,
        _signer(services).dumps(payload),
        max_age=int(LASTS.total_seconds()),
        secure=is_secure(services),
        httponly=True,
        samesite="Strict",
    )


def is_secure(services: Services) -> bool:
    """Whether a cookie goes by HTTPS alone."""
    return services.settings.backend == "gcp" or request.is_secure


def page_here(wanted: str) -> str:
    """An address that somebody gave, if it is that of a page here, else that of the settings."""
    local = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and "\\" not in wanted
    if not local or any(ord(letter) < 32 for letter in wanted):
        return url_for("operations.settings")
    parts = urlsplit(wanted)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def signed(services: Services, payload: Mapping[str, str]) -> str:
    """What a browser keeps and cannot change."""
    return _signer(services, "dashboard-kept").dumps(payload)


def read_signed(services: Services, text: str) -> dict[str, str]:
    """What ``signed`` was given. Raises BadSignature."""
    found: dict[str, str] = _signer(services, "dashboard-kept").loads(text)
    return found


def end(response: Response) -> None:
    """Sign out: the browser forgets the cookie."""
    response.delete_cookie(COOKIE, httponly=True, samesite="Strict")


def confirmed(services: Services, scope: str | None) -> Session:
    """The session behind a form, whose token is right and whose key allows ``scope``.

    Raises Unauthenticated without a session, Forbidden for a form from elsewhere and for a key
    without the right; the latter is on the audit trail.
    """
    check_origin()
    session = current(services)
    if session is None:
        raise Unauthenticated("Sign in with an API key first; a session ends after 12 hours.")
    if not hmac.compare_digest(request.form.get(TOKEN_FIELD, "").encode(), session.token.encode()):
        raise Forbidden("This form is not of this session. Load its page again.")
    if scope is not None and not session.key.allows(scope):
        refused = f"This key may not do that: it lacks the scope {scope}."
        services.documents.write(
            [
                audit.record(
                    services, session.caller, "auth.forbidden", ("key", session.key.id), refused
                )
            ]
        )
        raise Forbidden(refused)
    return session


# --- how ----------------------------------------------------------------------------------------


def _find(services: Services) -> Session | None:
    text = request.cookies.get(COOKIE)
    if not text:
        return None
    try:
        payload = _signer(services).loads(text)
    except BadSignature:
        return None
    if not isinstance(payload, Mapping) or str(payload["until"]) <= iso(services.now()):
        return None
    found = auth.named(services, str(payload["key"]))
    if found is None or not hmac.compare_digest(found[1], str(payload["fits"])):
        return None
    account = payload.get("account")
    if account is not None and sign_in.stands_for(services, int(account)) != found[0].id:
        return None
    nonce = str(payload["nonce"]).encode()
    token = hmac.new(_secret(services).encode(), b"form " + nonce, hashlib.sha256).hexdigest()
    return Session(found[0], token, str(payload["until"]), _caller(services, found[0]))


def check_origin() -> None:
    """Refuse what a browser says that another site had it send."""
    if request.headers.get("Sec-Fetch-Site", "none") not in _SAME_SITE:
        raise Forbidden("This form was sent by another site.")


def _caller(services: Services, key: Key) -> Caller:
    return replace(
        anonymous(request, g.request_id, services.settings),
        actor=f"key:{key.id}",
        actor_type="admin" if key.role is Role.ADMIN else "user",
    )


def _signer(services: Services, salt: str = "dashboard-session") -> URLSafeSerializer:
    return URLSafeSerializer(
        _secret(services), salt=salt, signer_kwargs={"digest_method": hashlib.sha256}
    )


def _secret(services: Services) -> str:
    """The secret, read once by each process."""
    kept = current_app.extensions
    if _SECRET not in kept:
        kept[_SECRET] = kept_secret(services, "session_secret", services.settings.session_secret)
    return str(kept[_SECRET])
