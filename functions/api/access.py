"""Who is calling, and what they may do."""

from __future__ import annotations

from flask import Request

from shared import audit, auth
from shared.auth import Key, Role
from shared.context import Caller, Services
from shared.errors import Forbidden

KEY_HEADER = "X-API-Key"
READ = "read:leaderboard"
WRITE = "write:repository"
ADMIN = "admin:*"
_LONGEST_AGENT = 300


def anonymous(request: Request, request_id: str) -> Caller:
    """The caller before any key was looked at."""
    agent = request.headers.get("User-Agent")
    return Caller(
        actor="anonymous",
        actor_type="user",
        address=request.remote_addr,
        agent=agent[:_LONGEST_AGENT] if agent else None,
        request_id=request_id,
    )


def admitted(services: Services, caller: Caller, key_text: str | None, scope: str) -> Caller:
    """The caller under the name of their key, if it allows ``scope``.

    Raises Unauthenticated without a valid key, Forbidden for one without the right. Refused keys
    are on the audit trail.
    """
    key = auth.authenticate(services, key_text, caller)
    named = caller if key is None else _named(caller, key)
    try:
        auth.require(key, scope)
    except Forbidden as error:
        services.documents.write(
            [audit.record(services, named, "auth.forbidden", ("key", named.actor), error.message)]
        )
        raise
    return named


def _named(caller: Caller, key: Key) -> Caller:
    return Caller(
        actor=f"key:{key.id}",
        actor_type="admin" if key.role is Role.ADMIN else "user",
        address=caller.address,
        agent=caller.agent,
        request_id=caller.request_id,
    )
