"""A throw-away PostgreSQL that keeps the same standings and rebuilds a ranked table of them."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from shared.tables import COUNT_COLUMNS

_SETTINGS = {"shared_buffers": "512MB", "work_mem": "64MB", "listen_addresses": ""}
_REAPED = 0.5
"""Seconds after which an ended session has been added to what its server used."""

_COUNTS = tuple(COUNT_COLUMNS.values())

_TABLES = f"""
CREATE TABLE users (id BIGINT PRIMARY KEY, login TEXT NOT NULL);
CREATE TABLE standings (
  repo_id BIGINT NOT NULL, user_id BIGINT NOT NULL,
  {", ".join(f"{name} INTEGER NOT NULL" for name in _COUNTS)},
  PRIMARY KEY (repo_id, user_id));
CREATE TABLE global_leaderboard (
  id BIGSERIAL PRIMARY KEY, user_id BIGINT NOT NULL, rank BIGINT NOT NULL,
  login TEXT NOT NULL, score BIGINT NOT NULL,
  {", ".join(f"{name} BIGINT NOT NULL" for name in _COUNTS)},
  calculated_at TIMESTAMPTZ NOT NULL DEFAULT now());
CREATE INDEX ON global_leaderboard (rank);
CREATE UNIQUE INDEX ON global_leaderboard (user_id);
"""

# Thousandths of a point by the default rules; lines are capped in each repository.
_SCORE = """
  "commit" * 10000 + pr_opened * 15000 + pr_merged * 25000 + pr_reviewed * 20000
  + pr_review_comment * 5000 + issue_opened * 8000 + issue_closed * 5000 + comment * 3000
  + release * 30000 + least(lines_added * 10 + lines_deleted * 5, 500000)
"""
_REBUILD = f"""
BEGIN;
DELETE FROM global_leaderboard;
INSERT INTO global_leaderboard (user_id, rank, login, score, {", ".join(_COUNTS)})
SELECT user_id, row_number() OVER (ORDER BY score DESC, user_id), login, score,
  {", ".join(_COUNTS)}
FROM (
  SELECT user_id, sum({_SCORE}) AS score,
    {", ".join(f"sum({name}) AS {name}" for name in _COUNTS)}
  FROM standings GROUP BY user_id
) AS totals
JOIN users ON users.id = user_id;
COMMIT;
"""


class Postgres:
    """A running cluster. Made by ``cluster``."""

    def __init__(self, programs: Path, folder: Path, user: str | None, pid: int) -> None:
        self._programs = programs
        self._folder = folder
        self._user = user
        self._pid = pid

    @property
    def environment(self) -> dict[str, str]:
        """Where it is, as ``load_peer`` reads it."""
        user = self._user or pwd.getpwuid(os.geteuid()).pw_name
        return {"PEER_SOCKET": str(self._folder), "PEER_USER": user}

    def load(self, standings: pa.Table) -> None:
        """Fill the tables from the rows of the warehouse."""
        rows, people = self._folder / "standings.csv", self._folder / "users.csv"
        with duckdb.connect() as connection:
            connection.register("standings", standings)
            connection.execute(
                f"COPY (SELECT repo_id, contributor_id, {', '.join(_COUNTS)} FROM standings)"
                f" TO '{rows}' (HEADER false)"
            )
            connection.execute(
                "COPY (SELECT contributor_id, arg_max(login, login_seen_at) FROM standings"
                f" GROUP BY ALL) TO '{people}' (HEADER false)"
            )
        self.run(_TABLES)
        self.run(f"\\copy standings FROM '{rows}' CSV\n\\copy users FROM '{people}' CSV\n")
        self.run("VACUUM ANALYZE standings; VACUUM ANALYZE users;")

    def rebuild(self) -> tuple[float, float]:
        """Seconds of DELETE and INSERT ... ROW_NUMBER, committed, and of the server's cores."""
        begin, cpu = time.perf_counter(), self._cpu_seconds()
        self.run(_REBUILD)
        seconds = time.perf_counter() - begin
        time.sleep(_REAPED)
        return seconds, self._cpu_seconds() - cpu

    def _cpu_seconds(self) -> float:
        """What the server and its ended sessions have used, where the system tells (Linux)."""
        status = Path(f"/proc/{self._pid}/stat")
        if not status.exists():
            return float("nan")
        ticks = status.read_text().rpartition(")")[2].split()[11:15]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")

    def board(self) -> list[tuple[int, int]]:
        """(user, score) of the first hundred."""
        found = self.run(
            "SELECT user_id, score FROM global_leaderboard ORDER BY rank LIMIT 100", "-At"
        )
        return [(int(a), int(b)) for a, b in (line.split("|") for line in found.splitlines())]

    def run(self, script: str, *options: str) -> str:
        """Run a script with psql. Raises CalledProcessError."""
        command: list[str | Path] = [self._programs / "psql", "-qX", "-v", "ON_ERROR_STOP=1"]
        command += [*options, "-h", self._folder, "-d", "postgres"]
        if self._user:
            command += ["-U", self._user]
        done = subprocess.run(command, input=script, text=True, check=True, capture_output=True)
        return done.stdout


def programs() -> Path | None:
    """Where PostgreSQL's programs are; None where it is not installed."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb") or (str(installed[-1]) if installed else None)
    return Path(found).resolve().parent if found else None


@contextmanager
def cluster(found: Path) -> Iterator[Postgres]:
    """A cluster on a socket in a temporary folder, gone afterwards. It never runs as root."""
    user = _unprivileged() if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="benchmark-postgres-") as name:
        folder, data = Path(name), Path(name) / "data"
        if user:
            account = pwd.getpwnam(user)
            os.chown(folder, account.pw_uid, account.pw_gid)
        subprocess.run(
            [found / "initdb", "-D", data, "-A", "trust"],
            user=user, cwd=folder, check=True, capture_output=True,
        )  # fmt: skip
        settings = [f"--{key}={value}" for key, value in _SETTINGS.items()]
        with (folder / "log").open("w") as log:
            server = subprocess.Popen(
                [found / "postgres", "-D", data, "-k", folder, *settings],
                user=user, cwd=folder, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            _wait(found, folder, server)
            yield Postgres(found, folder, user, server.pid)
        finally:
            server.send_signal(signal.SIGINT)  # its "fast" shutdown
            server.wait(60)


def _unprivileged() -> str:
    names = {account.pw_name for account in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _wait(found: Path, folder: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    ready: list[str | Path] = [found / "pg_isready", "-q", "-h", folder]
    while subprocess.run(ready, check=False).returncode:
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start: {(folder / 'log').read_text()[-500:]}")
        time.sleep(0.1)
