"""How an endpoint is written: a typed function, from whose signature all the rest follows.

    @resource.operation("GET", "/jobs/<job_id>", errors=(NotFound,))
    def show_job(call: Call, job_id: str) -> Reply[JobAnswer]:

A parameter ``query`` is the model of the address's parameters, ``body`` that of the JSON body; the
others come from the path. The same signature makes the OpenAPI description.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Generic, Literal, TypeVar, get_args, get_type_hints

import msgspec
from flask import Blueprint, Flask, Response, current_app, g, request
from pydantic import BaseModel
from werkzeug.http import http_date

from functions.api.access import READ, Who, admitted, identified
from functions.api.kept_answers import KeptAnswers, Rendered, Source
from functions.api.known_repositories import KnownRepositories
from functions.api.parsing import body_of, query_of
from shared.activity_facts import ActivityFacts
from shared.context import Caller, Services
from shared.custom_range import RangeBoards
from shared.errors import (
    BudgetRefused,
    Forbidden,
    LeaderboardError,
    RetryLater,
    TooManyRequests,
    Unauthenticated,
)
from shared.health import Probes
from shared.repository_list import RepositoryLists
from shared.system_state import KeptState

Answer = TypeVar("Answer", bound=BaseModel)
Method = Literal["GET", "POST", "PUT", "DELETE"]
Errors = tuple[type[LeaderboardError], ...]

_to_json = msgspec.json.Encoder(decimal_format="number").encode
"""Points are decimals of two places and leave as numbers of two places, which floats would not."""

_OF_LIMITED: Errors = (TooManyRequests,)
"""What any request can be refused with where requests are counted by caller."""

_CHANGING = "no-cache"
_FOREVER = "public, max-age=60"
"""A generation never changes but for the rows of people who opt out: they may linger a minute."""
_LAGGING = "max-age=0, stale-while-revalidate=60"
"""What takes long to make is shown as it was up to a minute ago while it is asked for anew."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that is the answer. ``filename`` is plain: letters, digits, dots and hyphens."""

    content: bytes
    media_type: str
    filename: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply(Generic[Answer]):
    """What an endpoint answers.

    ``forever`` is for addresses whose answer cannot change, ``lags`` for answers of which a copy
    of the last minute will do at first. ``etag`` None makes one from the body. An ``attachment``
    is sent in place of the body, with 200; so is what is ``rendered`` already, of which there is no
    body then.
    """

    body: Answer | None
    status: int | None = None
    etag: str | None = None
    forever: bool = False
    lags: bool = False
    location: str | None = None
    attachment: Attachment | None = None
    rendered: Rendered | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """The surroundings of a request. ``caller`` has a name where a key was sent."""

    services: Services
    caller: Caller
    ranges: RangeBoards
    known: KnownRepositories
    lists: RepositoryLists
    activities: ActivityFacts
    answers: KeptAnswers
    who: Who

    def kept(self, source: Source, make: Callable[[], Reply[Any]]) -> Reply[Any]:
        """What ``make`` replies to this very address, of what ``source`` gives now.

        Neither may depend on who asks. The reply has a tag and the usual status. Raises what both
        do.
        """
        key = address_of(request.environ)
        return Reply(None, rendered=self.answers.answer(key, source, lambda: _rendered(make())))

    def allow_warehouse(self) -> None:
        """Free on one machine; elsewhere a statement costs money and needs a key.

        Raises Unauthenticated, Forbidden.
        """
        self.need_key_elsewhere()

    @property
    def sees_costs(self) -> bool:
        """True if this caller may see what is spent: as ``need_key_elsewhere``, without raising."""
        key = self.who.key
        return self.services.settings.backend == "local" or (key is not None and key.allows(READ))

    def need_key_elsewhere(self) -> None:
        """Open on one machine; elsewhere it takes a key to read. Raises as ``allow_warehouse``."""
        if self.services.settings.backend != "local":
            admitted(self.services, self.who, READ)


@dataclass(frozen=True, slots=True)
class Deprecated:
    """An endpoint that goes: since when that is said, when it ends, and what takes its place."""

    since: datetime
    ends: datetime
    successor: str


@dataclass(frozen=True, slots=True)
class Operation:
    """An endpoint as it is described. ``rule`` is the whole path with ``<parameters>``."""

    method: Method
    rule: str
    name: str
    tag: str
    summary: str
    description: str
    answer: type[BaseModel]
    status: int
    query: type[BaseModel] | None
    body: type[BaseModel] | None
    scope: str | None
    key_elsewhere: bool
    headers: tuple[tuple[str, str], ...]
    forwards: bool
    deprecated: Deprecated | None
    files: tuple[str, ...]
    errors: Errors


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an application keeps between requests."""

    services: Callable[[], Services]
    ranges: RangeBoards = field(default_factory=RangeBoards)
    known: KnownRepositories = field(default_factory=KnownRepositories)
    lists: RepositoryLists = field(default_factory=RepositoryLists)
    activities: ActivityFacts = field(default_factory=ActivityFacts)
    probes: Probes = field(default_factory=Probes)
    state: KeptState = field(default_factory=KeptState)
    answers: KeptAnswers = field(default_factory=KeptAnswers)

    def call(self, services: Services, caller: Caller, who: Who) -> Call:
        """A request in these surroundings."""
        return Call(
            services,
            caller,
            self.ranges,
            self.known,
            self.lists,
            self.activities,
            self.answers,
            who,
        )


def address_of(environ: Mapping[str, Any]) -> tuple[str, ...]:
    """The address that is asked for, as it was sent."""
    return tuple(environ.get(part, "") for part in ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING"))


def surroundings() -> Surroundings:
    """Those of the application that answers now."""
    return surroundings_of(current_app)


def surroundings_of(app: Flask) -> Surroundings:
    """Those of an application."""
    kept = app.extensions["leaderboard"]
    assert isinstance(kept, Surroundings)  # noqa: S101 - put there by create_app
    return kept


View = Callable[..., Reply[Any]]


class Resource(Blueprint):
    """The endpoints of one resource. Where it is not ``limited`` anybody may ask at any rate."""

    def __init__(self, name: str, *, limited: bool = True) -> None:
        super().__init__(name, __name__)
        self.limited = limited
        self.operations: list[Operation] = []

    def operation(
        self,
        method: Method,
        rule: str,
        *,
        status: int = 200,
        scope: str | None = None,
        reads_warehouse: bool = False,
        key_elsewhere: bool = False,
        headers: Mapping[str, str] = MappingProxyType({}),
        forwards: bool = False,
        deprecated: Deprecated | None = None,
        files: tuple[str, ...] = (),
        errors: Errors = (),
    ) -> Callable[[View], View]:
        """Register a function as an endpoint. ``errors`` beside those that its signature implies.

        ``scope`` is what the key has to allow; without one the endpoint is open. One that
        ``reads_warehouse`` asks for that by ``Call.allow_warehouse``, and one whose answer is open
        on one machine only (``key_elsewhere``) by ``Call.need_key_elsewhere``. ``headers`` are
        those that the endpoint itself looks at, and what they are for. One that ``forwards``
        answers 308 with the present address of what was asked for by a former one. A ``deprecated``
        one says so in every answer that is no error. ``files`` are the media types of attachments
        that it may answer with (200).
        """

        def register(view: View) -> View:
            hints = get_type_hints(view)
            summary, _, description = (view.__doc__ or "").partition("\n\n")
            keyless = not (scope or reads_warehouse or key_elsewhere)
            keyed: Errors = () if keyless else (Unauthenticated, Forbidden)
            paid: Errors = (BudgetRefused, RetryLater) if reads_warehouse else ()
            operation = Operation(
                method=method,
                rule=rule,
                name=view.__name__,
                tag=self.name,
                summary=" ".join(summary.split()),
                description=" ".join(description.split()),
                answer=get_args(hints["return"])[0],
                status=status,
                query=hints.get("query"),
                body=hints.get("body"),
                scope=scope,
                key_elsewhere=reads_warehouse or key_elsewhere,
                headers=tuple(headers.items()),
                forwards=forwards,
                deprecated=deprecated,
                files=files,
                errors=(*keyed, *paid, *errors, *(_OF_LIMITED if self.limited else ())),
            )
            self.operations.append(operation)
            self.add_url_rule(
                rule,
                f"{view.__name__}_{len(self.operations)}",
                lambda **path: _answer(operation, view, path),
                methods=[method],
            )
            return view

        return register


def services_here() -> Services:
    """The services of the application that answers now."""
    try:
        return surroundings().services()
    except LeaderboardError as error:  # a wrong setting, which is nothing the caller could mend
        raise RuntimeError("the services could not be set up") from error


def _answer(operation: Operation, view: View, path: dict[str, Any]) -> Response:
    kept = surroundings()
    services = services_here()
    who = identified(services)
    caller = who.caller
    if operation.scope is not None:
        caller = admitted(services, who, operation.scope)
    arguments = path
    query = query_of(operation.query, request.args)
    if query is not None:
        arguments["query"] = query
    if operation.body is not None:
        arguments["body"] = body_of(operation.body, request)
    reply = view(kept.call(services, caller, who), **arguments)
    return _respond(reply, operation)


def _respond(reply: Reply[Any], operation: Operation) -> Response:
    if reply.attachment is not None:
        return attached(reply.attachment, reply.location)
    if reply.rendered is not None:
        g.rendered = reply.rendered
        response = Response(reply.rendered.body, operation.status, mimetype="application/json")
        return to_be_checked(response, reply.rendered.etag, forever=reply.rendered.forever)
    response = Response(_json(reply), reply.status or operation.status, mimetype="application/json")
    if reply.location is not None:
        response.headers["Location"] = reply.location
    if operation.deprecated is not None:
        _announce(response, operation.deprecated)
    if operation.method != "GET":
        response.headers["Cache-Control"] = "no-store"
        return response
    to_be_checked(response, reply.etag, forever=reply.forever)
    if reply.lags:
        response.headers["Cache-Control"] = _LAGGING
    return response


def _json(reply: Reply[Any]) -> bytes:
    assert reply.body is not None  # noqa: S101 - only what is rendered has none
    return _to_json(reply.body.model_dump(by_alias=True))


def _rendered(reply: Reply[Any]) -> Rendered:
    assert reply.etag is not None  # noqa: S101 - as Call.kept asks for
    return Rendered(_json(reply), reply.etag, reply.forever)


def _announce(response: Response, deprecated: Deprecated) -> None:
    """As RFC 9745 and RFC 8594 have it."""
    response.headers["Deprecation"] = f"@{int(deprecated.since.timestamp())}"
    response.headers["Sunset"] = http_date(deprecated.ends)
    response.headers["Link"] = f'<{deprecated.successor}>; rel="successor-version"'


def attached(file: Attachment, location: str | None = None) -> Response:
    """The answer that a browser saves as a file."""
    response = Response(file.content, 200, dict(file.headers), content_type=file.media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{file.filename}"'
    response.headers["Cache-Control"] = "no-store"
    # Opened from here, a file of names that others chose must not run anything.
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    if location is not None:
        response.headers["Location"] = location
    return response


def to_be_checked(response: Response, etag: str | None, *, forever: bool = False) -> Response:
    """The answer with its validators, or 304 to a reader who has it."""
    response.headers["Cache-Control"] = _FOREVER if forever else _CHANGING
    response.set_etag(etag or hashlib.sha256(response.get_data()).hexdigest()[:32])
    response.make_conditional(request)
    return response
