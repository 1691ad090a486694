"""What other sites show: badges, cards, frames, feeds and pictures, also of names nobody wants."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from functions.outside import lettering
from shared.context import Services
from shared.models import parse_time
from tests.support.dashboard_world import ENDLESS, HOSTILE, Balanced, client_over, filled
from tests.support.scenario import open_services

SVG = "{http://www.w3.org/2000/svg}"
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Services:
    return filled(tmp_path_factory.mktemp("outside"))


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return client_over(services)


@pytest.fixture
def empty(tmp_path: Path) -> FlaskClient:
    return client_over(open_services(tmp_path))


def drawn(answer: TestResponse) -> ET.Element:
    """The root of a picture that is nothing but a picture."""
    assert answer.mimetype == "image/svg+xml"
    root = ET.fromstring(answer.data)
    assert root.tag == f"{SVG}svg"
    allowed = {"svg", "title", "clipPath", "g", "rect", "linearGradient", "stop", "text"}
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in allowed
        assert not [name for name in element.attrib if name.startswith("on") or "href" in name]
    return root


def words(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


@pytest.mark.parametrize(
    ("address", "label", "value"),
    [
        ("repositories/octo/engine/contributors", "contributors", "11"),
        ("repositories/octo/engine/top", "top contributor", "zoe"),
        ("contributors/ben/rank", "rank", "2 of 9"),
        ("contributors/BEN/score", "score", "595.00"),
        ("contributors/ben/percentile", "percentile", "88.88 (top 25 %)"),
        ("contributors/dependabot[bot]/rank", "rank", "1 of 1"),
    ],
)
def test_a_badge_says_what_the_board_says(
    client: FlaskClient, address: str, label: str, value: str
) -> None:
    for style in ("flat", "flat-square"):
        answer = client.get(f"/badges/{quote(address)}.svg?style={style}")
        assert answer.status_code == 200
        root = drawn(answer)
        assert words(root) == [label, value]
        assert root.attrib["aria-label"] == f"{label}: {value}"
        rounded = root.find(f"{SVG}clipPath/{SVG}rect")
        assert rounded is not None
        assert rounded.attrib["rx"] == ("4" if style == "flat" else "0")


def test_a_badge_is_as_wide_as_its_words(client: FlaskClient) -> None:
    root = drawn(client.get("/badges/repositories/octo/engine/top.svg"))
    lengths = [float(each.attrib["textLength"]) for each in root.iter(f"{SVG}text")]
    assert float(root.attrib["width"]) == pytest.approx(sum(lengths) + 4 * 6, abs=0.11)
    assert lengths[0] == pytest.approx(lettering.width("top contributor", 11), abs=0.05)


def test_how_fresh_a_repository_is_shows_in_words_and_colour(client: FlaskClient) -> None:
    root = drawn(client.get("/badges/repositories/octo/engine/freshness.svg"))
    label, value = words(root)
    assert label == "data until"
    assert re.fullmatch(r"[\d,]+ days ago", value)
    assert "#8a5300" in {each.attrib.get("fill") for each in root.iter(f"{SVG}rect")}


@pytest.mark.parametrize(
    "address",
    [
        "/badges/repositories/no/body/top.svg",
        "/badges/contributors/nobody/rank.svg",
        "/cards/repositories/no/body.svg",
        "/cards/contributors/nobody.svg",
    ],
)
def test_of_what_is_not_there_a_grey_badge_says_so(client: FlaskClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 404
    assert words(drawn(answer))[1] == "not found"
    assert answer.headers["Cache-Control"] == "public, max-age=60"


@pytest.mark.parametrize(
    "address",
    [
        "/badges/contributors/ben/charm.svg",
        "/badges/contributors/ben/rank.png",
        "/feeds/leaderboard.rss",
        "/embed/repositories/no/body",
        "/pictures/repositories/no/body.png",
        "/feeds/repositories/no/body.atom",
    ],
)
def test_other_addresses_lead_nowhere(client: FlaskClient, address: str) -> None:
    assert client.get(address).status_code == 404


@pytest.mark.parametrize(
    "address",
    [
        "/badges/contributors/ben/rank.svg?style=neon",
        "/badges/contributors/ben/rank.svg?window=2d",
        "/cards/leaderboard.svg?theme=pink",
        "/embed/leaderboard?limit=51",
        "/embed/leaderboard?limit=%C2%B2",
        "/embed/leaderboard?class=cat",
    ],
)
def test_a_wrong_choice_is_refused_and_not_kept(client: FlaskClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 400
    assert answer.headers["Cache-Control"] == "no-store"


def test_nothing_published_is_no_failure_of_ours(empty: FlaskClient) -> None:
    for address in ("/embed/leaderboard", "/pictures/leaderboard.png", "/feeds/leaderboard.json"):
        assert empty.get(address).status_code == 404
    assert words(drawn(empty.get("/cards/leaderboard.svg")))[1] == "not found"


@pytest.mark.parametrize(
    ("address", "seconds"),
    [
        ("/badges/contributors/ben/rank.svg", 300),
        ("/cards/leaderboard.svg", 300),
        ("/embed/leaderboard", 900),
        ("/feeds/leaderboard.atom", 900),
        ("/feeds/leaderboard.json", 900),
        ("/pictures/leaderboard.png", 3600),
    ],
)
def test_others_may_keep_it_a_while_and_then_hear_that_it_is_the_same(
    client: FlaskClient, address: str, seconds: int
) -> None:
    first = client.get(address)
    assert first.headers["Cache-Control"] == f"public, max-age={seconds}"
    assert first.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "default-src 'none'" in first.headers["Content-Security-Policy"]
    again = client.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.data == b""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_card_shows_the_first_of_a_board(client: FlaskClient, theme: str) -> None:
    root = drawn(client.get(f"/cards/repositories/octo/engine.svg?theme={theme}"))
    shown = words(root)
    assert shown[:2] == ["Contributor leaderboard", "octo/engine"]
    assert {"1. zoe", "990.00", "2. ben", "2.76 %", "13 Mar 2025"} <= set(shown)


def test_a_contributors_card_shows_rank_score_and_percentile(client: FlaskClient) -> None:
    shown = words(drawn(client.get("/cards/contributors/ben.svg")))
    assert {"ben", "2 of 9", "595.00", "88.88", "Top 25 %", "1 repository"} <= set(shown)


@pytest.mark.parametrize("somebody", HOSTILE)
def test_hostile_names_are_words_and_no_more(client: FlaskClient, somebody: object) -> None:
    login = quote(somebody.login, safe="")  # type: ignore[attr-defined]
    card = drawn(client.get(f"/cards/contributors/{login}.svg"))
    name = words(card)[1]
    assert lettering.width(name, 18, bold=True) <= 372
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", ET.tostring(card, "unicode"))
    assert client.get(f"/badges/contributors/{login}/rank.svg").status_code == 200


@pytest.mark.parametrize("address", ["/embed/leaderboard", "/embed/repositories/octo/engine"])
def test_a_board_in_a_frame_may_be_framed_by_anybody(client: FlaskClient, address: str) -> None:
    answer = client.get(f"{address}?limit=50&theme=dark&class=all")
    page = Balanced(answer.text)
    assert answer.text.startswith("<!doctype html>")
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors *" in policy
    assert "script-src" not in policy
    assert "X-Frame-Options" not in answer.headers
    assert page.inline == []
    assert all(source.startswith("/dashboard/static/") for source in page.sources)
    assert answer.text.count("<tr>") == 12
    assert "<script" not in answer.text
    assert 'data-theme="dark"' in answer.text


def test_the_dashboard_itself_still_lets_nobody_frame_it(client: FlaskClient) -> None:
    assert "frame-ancestors 'none'" in client.get("/leaderboard").headers["Content-Security-Policy"]


@pytest.mark.parametrize("board", ["leaderboard", "repositories/octo/engine"])
def test_an_atom_feed_has_what_rfc_4287_asks_for(client: FlaskClient, board: str) -> None:
    root = ET.fromstring(client.get(f"/feeds/{board}.atom").data)
    assert root.tag == f"{ATOM}feed"
    for required in ("id", "title", "updated", "author"):
        assert len(root.findall(f"{ATOM}{required}")) == 1
    rels = {link.attrib["rel"] for link in root.findall(f"{ATOM}link")}
    assert rels == {"self", "alternate"}
    entries = root.findall(f"{ATOM}entry")
    ids = [entry.findtext(f"{ATOM}id") for entry in entries]
    assert entries
    assert len(set(ids)) == len(ids)
    for entry in entries:
        assert entry.findtext(f"{ATOM}title")
        assert len(entry.findtext(f"{ATOM}title") or "") < 150
        parse_time(entry.findtext(f"{ATOM}updated") or "")
        link = entry.find(f"{ATOM}link")
        assert link is not None
        assert urlsplit(link.attrib["href"]).scheme == "http"
    titles = [entry.findtext(f"{ATOM}title") for entry in entries]
    assert "zoe new at rank 1" in titles
    assert "ben down 1 place to rank 2" in titles


def test_the_json_feed_tells_the_same(client: FlaskClient) -> None:
    answer = client.get("/feeds/leaderboard.json")
    assert answer.mimetype == "application/feed+json"
    feed = json.loads(answer.data)
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    atom = ET.fromstring(client.get("/feeds/leaderboard.atom").data)
    assert [item["id"] for item in feed["items"]] == [
        entry.findtext(f"{ATOM}id") for entry in atom.findall(f"{ATOM}entry")
    ]
    assert feed["feed_url"].endswith("/feeds/leaderboard.json")


@pytest.mark.parametrize("board", ["leaderboard", "repositories/octo/engine"])
def test_a_picture_has_the_size_that_sites_ask_for(client: FlaskClient, board: str) -> None:
    answer = client.get(f"/pictures/{board}.png")
    image = Image.open(BytesIO(answer.data))
    assert (image.format, image.size) == ("PNG", (1200, 630))
    assert len(image.getcolors(1_000_000) or ()) > 10
    assert len(answer.data) < 100_000
    other = client.get(f"/pictures/{board}.png?window=7d")
    assert other.data != answer.data


@pytest.mark.parametrize("board", ["leaderboard", "repositories/octo/engine"])
def test_a_boards_page_names_its_picture_and_its_feeds(client: FlaskClient, board: str) -> None:
    text = client.get(f"/{board}?window=30d").text
    meta = dict(re.findall(r'<meta property="(og:[a-z:_]+)" content="([^"]*)">', text))
    assert meta["og:type"] == "website"
    assert {"og:title", "og:description", "og:url"} <= meta.keys()
    for address in (
        meta["og:image"],
        meta["og:url"],
        *re.findall(r'<link rel="alternate" [^>]*href="([^"]*)"', text),
    ):
        parts = urlsplit(address.replace("&amp;", "&"))
        assert client.get(f"{parts.path}?{parts.query}").status_code == 200
    assert meta["og:image"].startswith("http://localhost/pictures/")


def test_addresses_are_under_the_one_that_is_set(tmp_path: Path) -> None:
    services = filled(tmp_path)
    chosen = services.settings.model_copy(update={"public_url": "https://boards.example/x/"})
    client = client_over(replace(services, settings=chosen))
    assert 'content="https://boards.example/x/pictures/' in client.get("/leaderboard").text
    feed = client.get("/feeds/leaderboard.json", base_url="http://evil.example").json
    assert feed is not None
    assert feed["home_page_url"] == "https://boards.example/x/leaderboard?window=30d"
    assert "evil" not in json.dumps(feed["items"][0])


def test_a_text_is_cut_where_it_does_not_fit() -> None:
    cut = lettering.fitted(ENDLESS.login, 18, 200)
    assert cut.endswith("…")
    assert lettering.width(cut, 18) <= 200
    assert lettering.width(cut[:-1] + "xx…", 18) > 200
    assert lettering.fitted("a\u202eb\x00c\ud800", 18, 200) == "abc"
