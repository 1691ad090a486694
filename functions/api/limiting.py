"""How often somebody may ask, and who that is: a key, or an address without one."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from wsgiref.types import WSGIEnvironment

from flask import Response, current_app, g, request

from functions.api.access import KEY_HEADER, client_address, identified
from functions.api.resource import Resource, services_here
from shared.auth import Key
from shared.context import Services
from shared.errors import TooManyRequests
from shared.rates import Rate, Used

_STATIC = "dashboard.static"
_COUNTED = "leaderboard.counted"
_IPV6_NETWORK = 64
"""One customer has so much, and any of its addresses."""

STANDING = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
"""The headers that tell how a caller stands; the last is in seconds since 1970."""


def admit() -> None:
    """Find out who asks and count the request.

    Raises TooManyRequests. Health checks and static files are not looked at, so that they need
    nothing but this process.
    """
    g.used = None
    blueprint = current_app.blueprints.get(request.blueprint or "")
    unlimited = isinstance(blueprint, Resource) and not blueprint.limited
    if unlimited or request.endpoint == _STATIC or request.method == "OPTIONS":
        return
    services = services_here()
    rates = services.rates
    address = _subject(request.environ, services)
    if address is not None and KEY_HEADER in request.headers:
        _refuse(rates.look(f"refused {address}", _refusals(services)))
    who = identified(services)
    if address is not None and who.refused is not None:
        rates.take(f"refused {address}", _refusals(services))
    if address is None or (who.key is not None and who.key.is_admin):
        return
    if who.key is None:
        g.used = count_stranger(request.environ, services)
    else:
        g.used = rates.take(f"key {who.key.id}", _rates(services, who.key))
    _refuse(g.used)


def count_stranger(environ: WSGIEnvironment, services: Services) -> Used | None:
    """Count the request of somebody without a key, once. None for those who are not counted."""
    if _COUNTED not in environ:
        address = _subject(environ, services)
        environ[_COUNTED] = (
            None if address is None else services.rates.take(address, _rates(services, None))
        )
    used: Used | None = environ[_COUNTED]
    return used


def tell(response: Response) -> None:
    """Add how the caller stands."""
    response.headers.update(standing(g.get("used")))


def standing(used: Used | None) -> dict[str, str]:
    """``STANDING`` of a caller who is counted; nothing of others."""
    if used is None:
        return {}
    return dict(zip(STANDING, map(str, (used.most, used.remaining, used.resets_at)), strict=True))


def _refuse(used: Used | None) -> None:
    if used is None or used.fits:
        return
    g.used = used
    span = "second" if used.rate.seconds == 1 else f"{used.rate.seconds} seconds"
    raise TooManyRequests(
        f"That is more than {used.most} requests a {span}. Wait {used.wait} s, or use a key: those "
        "may ask more often.",
        seconds=used.wait,
        details={"limit": used.most, "window_seconds": used.rate.seconds},
    )


def _rates(services: Services, key: Key | None) -> tuple[Rate, ...]:
    settings = services.settings
    minute = settings.rate_limit_anonymous if key is None else settings.rate_limit_key
    return Rate(minute, 60), Rate(settings.rate_limit_burst, 1)


def _refusals(services: Services) -> tuple[Rate, ...]:
    """How often an address may be wrong: each time costs a look into the store and a record."""
    return (Rate(services.settings.rate_limit_anonymous, 60),)


def _subject(environ: WSGIEnvironment, services: Services) -> str | None:
    """Whom the requests of an address count for. None is nobody: somebody at this very machine."""
    subject, loopback = _network(client_address(environ, services.settings) or "")
    here = loopback and services.settings.backend == "local" and not _is_passed_on(environ)
    return None if here else subject


@lru_cache(maxsize=4096)
def _network(text: str) -> tuple[str, bool]:
    """What an address counts as, and if it is this machine's own."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return "address unknown", False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            network = ipaddress.ip_network((address, _IPV6_NETWORK), strict=False)
            return f"address {network}", address.is_loopback
        address = address.ipv4_mapped
    return f"address {address}", address.is_loopback


def _is_passed_on(environ: WSGIEnvironment) -> bool:
    """True if a proxy on this machine, known to the settings or not, brings somebody else's."""
    return "HTTP_X_FORWARDED_FOR" in environ or "HTTP_FORWARDED" in environ
