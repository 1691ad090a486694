"""Running the owner's commands, in this process and as a process of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from infra.cli.__main__ import cli
from shared.settings import Settings
from tests.support.eventually import eventually
from tests.support.lines import (
    ANA,
    BEN,
    CLEO,
    DEPENDABOT,
    WHEELS,
    day,
    issue_comment,
    pr_merged,
    pr_opened,
    push,
    review,
    write_gz,
)

ROOT = Path(__file__).parents[2]
ENGINE_NAME, WHEELS_NAME = "octo/engine", "octo/wheels"
_START_SECONDS = 120.0
_SETTINGS = {name.upper(): None for name in (*Settings.model_fields, "archive", "repos", "serve")}


def command(data: Path, *arguments: str, **variables: str) -> Result:
    """Run a command on a data directory. Variables of the environment are those that are named."""
    environment: dict[str, str | None] = {
        **_SETTINGS,
        "SETTLE_SECONDS": "0",
        "PORT": "0",
        "DATA_DIR": str(data),
        **variables,
    }
    return CliRunner().invoke(cli, arguments, env=environment)


def answer(data: Path, *arguments: str) -> Any:
    """What a command answers under ``--json``; it is all that stands on its standard output."""
    result = command(data, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refusal(result: Result) -> str:
    """The sentence of a command that failed, having said nothing else and shown no traceback."""
    assert result.exit_code in {1, 2}, result.output
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    sentence = result.stderr[result.stderr.index("Error: ") :].strip()
    assert "\n" not in sentence
    return sentence


def write_archive(folder: Path) -> Path:
    """A small archive file: two repositories, three people and a bot."""
    path = folder / "march.json.gz"
    write_gz(
        path,
        [
            push(1, day(1), ANA, push_id=1, distinct_size=4),
            pr_opened(2, day(2), BEN, 1),
            review(3, day(3), ANA, 1, author=BEN, review_id=31),
            pr_merged(4, day(4), ANA, 1, author=BEN, additions=900, deletions=10),
            issue_comment(5, day(5), CLEO, 1, comment_id=51, author=BEN),
            push(6, day(6), DEPENDABOT, push_id=6, distinct_size=1),
            push(7, day(18), CLEO, push_id=7, distinct_size=2, repo=WHEELS),
            push(8, day(19), ANA, push_id=8, distinct_size=1, repo=WHEELS),
            push(9, day(19), BEN, push_id=9),
        ],
    )
    return path


@cache
def filled(base: Path) -> Path:
    """A data directory with that archive and both boards, made by the commands themselves."""
    data = base / "filled"
    archive = write_archive(base)
    for arguments in (
        ("ingest", str(archive)),
        ("register", ENGINE_NAME, WHEELS_NAME, "--wait"),
    ):
        result = command(data, *arguments)
        assert result.exit_code == 0, result.output
    return data


def filled_once(factory: pytest.TempPathFactory) -> Path:
    """That directory, made once a test process. Tests that change it take a copy."""
    return filled(factory.getbasetemp())


@contextmanager
def process(data: Path, *arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own, ended at the latest with the block."""
    inherited = {name: value for name, value in os.environ.items() if name not in _SETTINGS}
    with subprocess.Popen(
        [sys.executable, "-m", "infra.cli", *arguments],
        cwd=ROOT,
        env={**inherited, "PORT": "0", "DATA_DIR": str(data), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        try:
            yield started
        finally:
            started.kill()


@contextmanager
def server(data: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server on a data directory, and its address. It is asked to end with the block."""
    with process(data, *(arguments or ("serve",))) as started:
        note = data / "server.json"

        def listening() -> str:
            assert started.poll() is None, started.communicate()[1]
            return json.loads(note.read_text())["url"] if note.exists() else ""

        yield started, eventually(listening, within=_START_SECONDS)
        started.send_signal(signal.SIGTERM)
        started.wait(60)


def is_live(url: str) -> bool:
    """Whether the API answers at an address."""
    try:
        return httpx.get(f"{url}/health/live", trust_env=False).is_success
    except httpx.TransportError:
        return False
