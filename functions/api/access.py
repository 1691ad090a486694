"""Who is calling, and what they may do."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from wsgiref.types import WSGIEnvironment

from flask import Request, g, request

from shared import audit, auth
from shared.auth import Key, Role
from shared.context import Caller, Services
from shared.errors import Forbidden, Unauthenticated
from shared.settings import Settings

KEY_HEADER = "X-API-Key"
READ = "read:leaderboard"
WRITE = "write:repository"
ADMIN = "admin:*"
_LONGEST_AGENT = 300


@dataclass(frozen=True, slots=True)
class Who:
    """Who makes a request. Without a key the caller is anonymous.

    So they are with a wrong one, which is ``refused`` where a key is needed.
    """

    caller: Caller
    key: Key | None = None
    refused: Unauthenticated | None = None


def identified(services: Services) -> Who:
    """Who makes the request that is answered now; its key is checked once."""
    found: Who | None = g.get("who")
    if found is None:
        found = g.who = _identified(services)
    return found


def _identified(services: Services) -> Who:
    caller = anonymous(request, g.request_id, services.settings)
    try:
        key = auth.authenticate(services, request.headers.get(KEY_HEADER), caller)
    except Unauthenticated as error:
        return Who(caller, refused=error)
    return Who(caller if key is None else _named(caller, key), key)


def anonymous(request: Request, request_id: str, settings: Settings) -> Caller:
    """The caller before any key was looked at."""
    agent = request.headers.get("User-Agent")
    return Caller(
        actor="anonymous",
        actor_type="user",
        address=client_address(request.environ, settings),
        agent=agent[:_LONGEST_AGENT] if agent else None,
        request_id=request_id,
    )


def client_address(environ: WSGIEnvironment, settings: Settings) -> str | None:
    """The address that the outermost trusted proxy saw; without one that of the connection.

    Each proxy adds on the right of ``X-Forwarded-For`` whom it was called by. What stands further
    left is the caller's own word, and counts for nothing.
    """
    hops = settings.trusted_proxies
    if hops is None:
        hops = 1 if settings.backend == "gcp" else 0
    connected: str | None = environ.get("REMOTE_ADDR")
    entries = environ.get("HTTP_X_FORWARDED_FOR", "").split(",")
    if hops == 0 or len(entries) < hops:
        return connected
    entry = entries[-hops].strip()
    try:
        return str(ipaddress.ip_address(entry))
    except ValueError:
        return connected


def admitted(services: Services, who: Who, scope: str) -> Caller:
    """The caller, if their key allows ``scope``.

    Raises Unauthenticated without a valid key, Forbidden for one without the right. Refusals, and
    what admins are let in for, are on the audit trail.
    """
    if who.refused is not None:
        raise who.refused
    caller = who.caller
    try:
        key = auth.require(who.key, scope)
    except Forbidden as error:
        _note(services, caller, "auth.forbidden", error.message)
        raise
    if key.role is Role.ADMIN:
        _note(services, caller, "auth.accepted", f"Admin key let in for {scope}")
    return caller


def _note(services: Services, caller: Caller, action: str, description: str) -> None:
    resource = ("key", caller.actor.removeprefix("key:"))
    services.documents.write([audit.record(services, caller, action, resource, description)])


def _named(caller: Caller, key: Key) -> Caller:
    return Caller(
        actor=f"key:{key.id}",
        actor_type="admin" if key.role is Role.ADMIN else "user",
        address=caller.address,
        agent=caller.agent,
        request_id=caller.request_id,
    )
