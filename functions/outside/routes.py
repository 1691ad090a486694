"""What other sites show of a board: badges, cards, a frame, feeds, the picture of a link."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TypeVar

from flask import Blueprint, Response, make_response, render_template, request, url_for
from werkzeug.exceptions import NotFound as NoSuchAddress

from functions.outside import badges, cards, feeds, letters, picture, places
from functions.outside.badges import GREY, OF_CONTRIBUTOR, OF_REPOSITORY, Badge, RepositoryFacts
from functions.outside.places import Place
from shared import movements, weekly_report
from shared.errors import NotFound

Made = TypeVar("Made")

blueprint = Blueprint("outside", __name__, template_folder="templates")

_MINUTES = {"image/svg+xml": 5, "image/png": 60}
_FEED_MINUTES = 15

_CARD_ROWS = 5
_EMBED_ROWS, _EMBED_MOST = 10, 50
_CLASSES = ("human", "bot", "agent", "all")

_POLICY = "default-src 'none'"
_FRAME_POLICY = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *"
)


blueprint.add_app_template_global(places.absolute, "absolute")
_LETTER_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


@blueprint.after_request
def _finish(response: Response) -> Response:
    """For anybody's page to show; a browser asks again after a while, and mostly hears 304."""
    headers = response.headers
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    headers["Access-Control-Allow-Origin"] = "*"
    headers.setdefault("Content-Security-Policy", _POLICY)
    minutes = _MINUTES.get(response.mimetype or "", _FEED_MINUTES)
    if response.status_code != 200:
        minutes = 1 if response.status_code == 404 else 0
    headers["Cache-Control"] = f"public, max-age={60 * minutes}" if minutes else "no-store"
    if response.status_code == 200:
        response.add_etag()
        response.make_conditional(request)
    return response


# --- badges -----------------------------------------------------------------------------------


@blueprint.get("/badges/repositories/<owner>/<name>/<what>.svg")
def repository_badge(owner: str, name: str, what: str) -> Response:
    """A badge of a repository: ``contributors``, ``top`` or ``freshness``."""
    made = _known(OF_REPOSITORY, what)
    style = places.one_of("style", badges.STYLES)
    try:
        place = places.of_repository(owner, name)
        piece = place.read(places.window(), 1)
    except NotFound:
        return _missing(what, style)
    assert place.repository is not None  # noqa: S101 - it is a repository's place
    services = places.services()
    facts = RepositoryFacts(
        place.repository,
        piece.head,
        piece.rows[0] if piece.rows else None,
        services.now(),
        timedelta(hours=services.settings.stale_after_hours),
    )
    return _svg(badges.draw(made(facts), style))


@blueprint.get("/badges/contributors/<path:login>/<what>.svg")
def contributor_badge(login: str, what: str) -> Response:
    """A badge of a contributor on the global board: ``rank``, ``score`` or ``percentile``."""
    made = _known(OF_CONTRIBUTOR, what)
    style = places.one_of("style", badges.STYLES)
    try:
        piece, head = places.person(login, places.window())
    except NotFound:
        return _missing(what, style)
    row = piece.rows[0]
    return _svg(badges.draw(made(row, head.rows_of(row.account_class)), style))


# --- cards ------------------------------------------------------------------------------------


@blueprint.get("/cards/leaderboard.svg")
def global_card() -> Response:
    """The first of the global board."""
    return _board_card(places.everywhere)


@blueprint.get("/cards/repositories/<owner>/<name>.svg")
def repository_card(owner: str, name: str) -> Response:
    """The first of a repository's board."""
    return _board_card(lambda: places.of_repository(owner, name))


@blueprint.get("/cards/contributors/<path:login>.svg")
def contributor_card(login: str) -> Response:
    """Somebody's place on the global board."""
    theme = places.one_of("theme", tuple(cards.THEMES))
    try:
        piece, head = places.person(login, places.window())
    except NotFound:
        return _missing("contributor")
    row = piece.rows[0]
    return _svg(cards.of_contributor(row, head.rows_of(row.account_class), head, theme))


def _board_card(place_of: Callable[[], Place]) -> Response:
    theme = places.one_of("theme", tuple(cards.THEMES))
    try:
        place = place_of()
        piece = place.read(places.window(), _CARD_ROWS)
    except NotFound:
        return _missing("leaderboard")
    return _svg(cards.of_board(place.name, piece.head, piece.rows, theme))


# --- a board in a frame -----------------------------------------------------------------------


@blueprint.get("/embed/leaderboard")
def global_embed() -> Response:
    """The global board, for a frame on another site."""
    return _embedded(places.everywhere())


@blueprint.get("/embed/repositories/<owner>/<name>")
def repository_embed(owner: str, name: str) -> Response:
    """A repository's board, for a frame on another site."""
    return _embedded(places.of_repository(owner, name))


def _embedded(place: Place) -> Response:
    window, account_class = places.window(), places.one_of("class", _CLASSES)
    theme = places.one_of("theme", ("auto", "light", "dark"))
    piece = place.read(window, places.count("limit", _EMBED_ROWS, _EMBED_MOST), account_class)
    page = render_template(
        "outside/embed.html",
        name=place.name,
        head=piece.head,
        rows=piece.rows,
        total=piece.total,
        page=place.page(window),
        theme=theme,
        account_class=account_class,
    )
    response = make_response(page)
    response.headers["Content-Security-Policy"] = _FRAME_POLICY
    return response


# --- the picture of a link --------------------------------------------------------------------


@blueprint.get("/pictures/leaderboard.png")
def global_picture() -> Response:
    """The global board as a picture of 1200 by 630."""
    return _picture(places.everywhere())


@blueprint.get("/pictures/repositories/<owner>/<name>.png")
def repository_picture(owner: str, name: str) -> Response:
    """A repository's board as a picture of 1200 by 630."""
    return _picture(places.of_repository(owner, name))


def _picture(place: Place) -> Response:
    piece = place.read(places.window(), picture.ROWS)
    return Response(picture.of_board(place.name, piece.head, piece.rows), mimetype="image/png")


# --- feeds ------------------------------------------------------------------------------------


@blueprint.get("/feeds/leaderboard.<any(atom, json):form>")
def global_feed(form: str) -> Response:
    """Who moved on the global board, as ``atom`` or ``json``."""
    return _feed(places.everywhere(), form)


@blueprint.get("/feeds/repositories/<owner>/<name>.<any(atom, json):form>")
def repository_feed(owner: str, name: str, form: str) -> Response:
    """Who moved on a repository's board."""
    return _feed(places.of_repository(owner, name), form)


def _feed(place: Place, form: str) -> Response:
    window = places.one_of("window", ("30d", "7d", "90d", "365d", "all"))
    history = movements.history(
        places.services(), place.board, window, each=feeds.EACH, in_all=feeds.IN_ALL
    )
    people = url_for("dashboard.contributor", login="LOGIN").replace("LOGIN", "{login}")
    feed = feeds.of_moves(
        place.name,
        history,
        page=place.page(window),
        self_=places.absolute(request.full_path.rstrip("?")),
        people=places.absolute(people),
    )
    if form == "atom":
        return Response(feeds.atom(feed), mimetype="application/atom+xml")
    return Response(feeds.json_feed(feed), mimetype="application/feed+json")


# --- the weekly report ------------------------------------------------------------------------


@blueprint.get("/reports/weekly/letter")
def weekly_letter() -> Response:
    """The weekly report as it goes into an e-mail. Its styles stand in place."""
    services = places.services()
    report = weekly_report.build(services)
    response = make_response(letters.weekly(report, services.settings.public_url))
    response.headers["Content-Security-Policy"] = _LETTER_POLICY
    return response


# --- how --------------------------------------------------------------------------------------


def _missing(what: str, style: badges.Style = "flat") -> Response:
    """In place of a picture of what is not there: a page that shows it gets something to show."""
    return _svg(badges.draw(Badge(what, "not found", GREY), style), 404)


def _svg(text: str, status: int = 200) -> Response:
    return Response(text, status, mimetype="image/svg+xml")


def _known(made: Mapping[str, Made], what: str) -> Made:
    if what not in made:
        raise NoSuchAddress
    return made[what]
