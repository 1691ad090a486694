"""Pages under fifty connections: ours as it is deployed here, beside FastAPI on PostgreSQL."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

import httpx

from infra.environment import settings_from
from infra.local.dev_server import listen
from infra.services import build
from shared import auth
from tests.benchmarks import postgres
from tests.benchmarks.load_board import data_folder, size_of, standings_of
from tests.benchmarks.measuring import ROOT, RunFailed
from tests.benchmarks.peers import peers_python
from tests.benchmarks.report import Aim, Section

CONNECTIONS = 50
SECONDS = 15.0
TURNS = 5
PAGES = 1000
WORKERS = 2
_STARTED_WITHIN = 180.0
_FLAT = 1.15
_PROFILE = "/api/v1/contributors"
_COLUMNS = ("contestant", "requests", "requests/s", "p50 ms", "p95 ms", "p99 ms", "KB", "peak MB")

Json = dict[str, Any]


class Server:
    """Something that answers, and the processes that it is made of."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.pid = pid

    def load(self, kinds: list[Json], **more: Any) -> Json:
        """What the client measured. Raises RunFailed."""
        address = urlsplit(self.url)
        plan = {"host": address.hostname, "port": address.port, "connections": CONNECTIONS}
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.load_client"],
            input=json.dumps({**plan, **more, "kinds": kinds}),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RunFailed(f"the load: {(done.stderr.strip().splitlines() or ['it died'])[-1]}")
        found: Json = json.loads(done.stdout)
        return found

    def memory_mb(self) -> float:
        """Resident memory of its processes added up, NaN where the system does not tell."""
        return sum(_resident_mb(pid) for pid in _family(self.pid))


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server, what it is asked for, and how."""

    server: Server
    asked: Json
    how: Json = field(default_factory=dict)

    def load(self, **more: Any) -> Json:
        """As ``Server.load``."""
        return self.server.load([self.asked], **self.how, **more)


class Measured:
    """What the client measured of one contestant, in one turn or several."""

    def __init__(self, server: Server, turns: Iterable[Json] = ()) -> None:
        self._server = server
        self._microseconds: list[int] = []
        self._seconds = 0.0
        self._bytes = 0
        self._memory_mb = 0.0
        self.statuses: Counter[str] = Counter()
        for turn in turns:
            self.add(turn)

    def add(self, turn: Json) -> None:
        self._microseconds += turn["microseconds"]
        self._seconds += turn["seconds"]
        self._bytes += turn["bytes"]
        self.statuses.update(turn["statuses"])
        self._memory_mb = max(self._memory_mb, self._server.memory_mb())

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self._microseconds) / self._seconds

    def milliseconds(self, percent: int) -> float:
        """Within how many so many per cent were answered."""
        return quantiles(self._microseconds, n=100)[percent - 1] / 1000

    def row(self, name: str) -> tuple[str | int | float, ...]:
        """As the table has it."""
        asked = len(self._microseconds)
        times = (self.milliseconds(percent) for percent in (50, 95, 99))
        return name, asked, self.rate, *times, self._bytes / asked / 1000, self._memory_mb


def measure(cache: Path, scale: float, say: Callable[[str], None], minutes: float) -> Section:
    """Each contestant cold and warm, ours revalidated, too, and under a mixed load.

    Each process keeps its own pages, so they are all asked as long before what is called warm. A
    machine is not equally fast at all times: the contestants are measured in turns. All of them log
    a line a request into a file.
    """
    size = size_of(scale)
    seconds = max(SECONDS * min(scale, 1.0), TURNS)
    section = Section(
        f"A page of 50 rows under {CONNECTIONS} connections, of about "
        f"{size.contributors * 39 // 40:,} rows",
        _COLUMNS,
    )
    say("publishing the board")
    source = data_folder(size, cache)
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "data"
        shutil.copytree(source, data)
        key = auth.create_first_key(build(settings_from({"DATA_DIR": str(data)}))) or ""
        server = stack.enter_context(ours(data))
        pages = _kind("pages", "/api/v1/leaderboard/global?page={}", size.contributors)
        first = _first(server.url, "/api/v1/leaderboard/global?page=1")
        contestants = {"ours": Contestant(server, pages)}
        for name, start in stack.enter_context(_peers(cache, size, section, say)):
            peer = stack.enter_context(start())
            _first(peer.url, "/leaderboard?page=1", known=first)
            contestants[name] = Contestant(
                peer, _kind("pages", "/leaderboard?page={}", size.contributors)
            )
        measured: dict[str, Measured] = {}
        for name, each in contestants.items():
            say(f"{name}: each page for the first time, then as long as it takes to know them all")
            cold = f"{name}, each page for the first time"
            measured[cold] = Measured(each.server, [each.load(once=True)])
            each.load(seconds=seconds)
        packed = {**pages, "headers": {"Accept-Encoding": "gzip"}}
        contestants["ours, gzip"] = Contestant(server, packed)
        contestants["ours, gzip"].load(seconds=seconds)
        contestants["ours, 304"] = Contestant(server, pages, {"revalidate": True})
        for turn in range(TURNS):
            for name, each in contestants.items():
                say(f"{name}, turn {turn + 1} of {TURNS}")
                measured.setdefault(name, Measured(each.server)).add(
                    each.load(seconds=seconds / TURNS)
                )
        say(f"ours, mixed, {minutes:g} minutes")
        logins = [row["username"] for row in first]
        found, before, after = _mixed(server, pages, logins, key, minutes * 60)
        measured["ours, mixed: 90 % pages, 8 % profiles, 2 % writes"] = mixed = Measured(
            server, [found]
        )
        for name, one in measured.items():
            section.rows.append(one.row(name))
            if set(one.statuses) - {"200", "304"}:
                section.notes.append(f"{name}: answers were {dict(one.statuses)}.")
    _judge(section, measured, mixed, (before, after))
    return section


def _judge(
    section: Section,
    measured: Mapping[str, Measured],
    mixed: Measured,
    memory: tuple[float, float],
) -> None:
    warm = measured["ours"]
    aims = [Aim("1,000 requests/s warm", f"{warm.rate:,.0f}", warm.rate >= 1000)]
    for part, most in ((50, 50), (95, 200), (99, 500)):
        found = warm.milliseconds(part)
        aims.append(Aim(f"p{part} below {most} ms", f"{found:.1f} ms", found < most))
    times = measured["ours, 304"].rate / warm.rate
    aims.append(Aim("a 304 cheaper still", f"{times:.2f} times warm", times > 1))
    for name, least in ((PLAIN, 20.0), (CACHED, 1.0)):
        if name in measured:
            times = warm.rate / measured[name].rate
            aims.append(Aim(f"{least:g} times {name}", f"{times:.1f} times", times >= least))
    wrong = {status: n for status, n in mixed.statuses.items() if status != "200"}
    aims.append(Aim("no error under the mixed load", f"{wrong or 'none'}", not wrong))
    before, after = memory
    flat = after <= before * _FLAT
    aims.append(Aim("memory flat under it", f"{before:.0f} to {after:.0f} MB", flat))
    section.aims.extend(aims)


def _mixed(
    server: Server, pages: Json, logins: list[str], key: str, seconds: float
) -> tuple[Json, float, float]:
    """The load, and the memory after a fifth of its time and at its end."""
    rules = [{"flags": {"enable_enrichment": {"value": True, "percent": n}}} for n in range(50)]
    kinds = [
        {**pages, "weight": 90},
        {"name": "profiles", "weight": 8, "addresses": [f"{_PROFILE}/{name}" for name in logins]},
        {
            "name": "writes",
            "weight": 2,
            "method": "PUT",
            "addresses": ["/api/v1/config/flags"],
            "headers": {"X-API-Key": key},
            "bodies": rules,
        },
    ]  # fmt: skip
    early: list[float] = []
    timer = threading.Timer(seconds / 5, lambda: early.append(server.memory_mb()))
    timer.start()
    try:
        found = server.load(kinds, seconds=seconds)
    finally:
        timer.cancel()
    return found, early[0] if early else float("nan"), server.memory_mb()


def _kind(name: str, address: str, people: int) -> Json:
    last = min(PAGES, people * 39 // 40 // 50)
    return {"name": name, "weight": 1, "addresses": [address.format(n + 1) for n in range(last)]}


def _first(url: str, address: str, known: list[Json] | None = None) -> list[Json]:
    """The rows of the first page. Raises RunFailed if they are not those that are known."""
    answer = httpx.get(url + address, timeout=60, trust_env=False)
    found: list[Json] = answer.raise_for_status().json()["data"]
    if known is not None:
        theirs, mine = ([row["github_id"] for row in rows] for rows in (found, known))
        # Ours are rounded to two places.
        apart = max(abs(a["score"] - b["score"]) for a, b in zip(found, known, strict=True))
        if theirs != mine or apart > 0.006:
            raise RunFailed(f"{url} shows other rows")
    return found


# --- contestants ----------------------------------------------------------------------------------


@contextmanager
def ours(data: Path) -> Iterator[Server]:
    """Our server: gunicorn workers with threads, logging into a file."""
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    environment = {
        "DATA_DIR": str(data),
        "PORT": str(port),
        "WORKERS": str(WORKERS),
        "LOG_FILE": str(data / "log.jsonl"),
    }
    command = [sys.executable, "-m", "tests.benchmarks.load_server"]
    with _running(command, environment, port, "/health/live") as server:
        yield server


PLAIN = "FastAPI + SQLAlchemy + PostgreSQL"
CACHED = f"{PLAIN} + response cache"

Start = Callable[[], Any]


@contextmanager
def _peers(
    cache: Path, size: Any, section: Section, say: Callable[[str], None]
) -> Iterator[list[tuple[str, Start]]]:
    """The peer in both forms; none, with a note, where something of it is not installed."""
    programs, python = postgres.programs(), peers_python(cache)
    if programs is None or python is None:
        missing = "PostgreSQL is" if programs is None else "its packages are"
        section.notes.append(f"{PLAIN} is skipped: {missing} not installed.")
        yield []
        return
    with postgres.cluster(programs) as database:
        say("loading PostgreSQL")
        database.load(standings_of(size, cache))
        database.run("DELETE FROM standings USING users WHERE id = user_id AND login LIKE '%[bot]'")
        database.rebuild()
        database.run("VACUUM ANALYZE global_leaderboard;")

        def start(kept: str) -> Any:
            return _peer(python, database.environment | {"PEER_CACHE": kept})

        yield [(PLAIN, lambda: start("0")), (CACHED, lambda: start("1"))]


@contextmanager
def _peer(python: Path, environment: Mapping[str, str]) -> Iterator[Server]:
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    command = [
        str(python), "-m", "uvicorn", "tests.benchmarks.load_peer:app", "--port", str(port),
        "--workers", str(WORKERS),
    ]  # fmt: skip
    with _running(command, environment, port, "/leaderboard") as server:
        yield server


@contextmanager
def _running(
    command: list[str], environment: Mapping[str, str], port: int, ready: str
) -> Iterator[Server]:
    """A server process until the block ends. What it says goes into a file."""
    said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed below, once nobody writes
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=said,
        stderr=said,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + _STARTED_WITHIN
        while not _answers(url + ready):
            if process.poll() is not None or time.monotonic() > deadline:
                said.seek(0)
                last = (said.read().strip().splitlines() or [""])[-1]
                raise RunFailed(f"{command[2]} did not start. {last}")
            time.sleep(0.1)
        yield Server(url, process.pid)
    finally:
        process.terminate()
        process.wait(30)
        said.close()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _family(pid: int) -> Iterator[int]:
    """A process and all that it started, on Linux."""
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from _family(int(child))


def _resident_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024
    except OSError:
        return float("nan")
    except StopIteration:  # it has ended
        return 0.0
