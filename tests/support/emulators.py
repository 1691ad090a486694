"""Google's emulators for the tests, where gcloud has them: started once a session, ended by id.

They are Java programs. gcloud's own wrappers leave theirs behind when they are ended, so Java is
started directly. ``python -m tests.support.emulators report.xml`` fails if the emulators are
installed and a test run did not use them.
"""

from __future__ import annotations

import functools
import os
import shutil
import socket
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.eventually import eventually

_LANGUAGE = "-Duser.language=en"


@dataclass(frozen=True, slots=True)
class Emulator:
    """``jar`` is a pattern within gcloud's folder; ``tests`` are the tests that need it."""

    name: str
    jar: str
    entry: str
    arguments: tuple[str, ...]
    tests: str


FIRESTORE = Emulator(
    "Firestore emulator",
    "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar",
    "com.google.cloud.datastore.emulator.firestore.CloudFirestore",
    ("start", "--host=127.0.0.1", "--port={port}", "--websocket_port={other_port}"),
    "[firestore",
)
PUBSUB = Emulator(
    "Pub/Sub emulator",
    "platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar",
    "com.google.cloud.pubsub.testing.v1.Main",
    ("--host=127.0.0.1", "--port={port}"),
    "[pubsub",
)


@functools.cache
def missing(emulator: Emulator) -> str | None:
    """Why an emulator cannot run here, None if it can."""
    if shutil.which("gcloud") is None:
        return f"the {emulator.name} comes with gcloud, which is not installed"
    if shutil.which("java") is None:
        return f"the {emulator.name} needs Java, which is not installed"
    if not _jars(emulator):
        return f"gcloud is installed without the {emulator.name}"
    return None


@functools.cache
def _gcloud() -> Path:
    """The folder of gcloud, which its command is a link into or knows."""
    command = Path(shutil.which("gcloud") or "").resolve()
    if (command.parents[1] / "platform").is_dir():
        return command.parents[1]
    asked = subprocess.run(
        [command, "info", "--format=value(installation.sdk_root)"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return Path(asked.stdout.strip() or command.parents[1])


def _jars(emulator: Emulator) -> list[Path]:
    return sorted(_gcloud().glob(emulator.jar))


@contextmanager
def running(emulator: Emulator, folder: Path) -> Iterator[str]:
    """An emulator that listens at the host and port that come back. Its log is in ``folder``."""
    port, other_port = _free_ports(2)
    arguments = [each.format(port=port, other_port=other_port) for each in emulator.arguments]
    # It lives too briefly to gain from being compiled well.
    brief = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    java = ["java", _LANGUAGE, *brief, "-cp", str(_jars(emulator)[-1])]
    log = folder / "emulator.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*_dying_with_us(), *java, emulator.entry, *arguments],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        host = f"127.0.0.1:{port}"
        try:
            eventually(lambda: process.poll() is not None or _answers(host), within=60)
            assert process.poll() is None
        except AssertionError:
            pytest.fail(f"The {emulator.name} did not start:\n{log.read_text()[-2000:]}")
        yield host
    finally:
        process.kill()
        process.wait()


def _dying_with_us() -> list[str]:
    """A killed test run leaves no Java behind, where the system can see to it."""
    setpriv = shutil.which("setpriv")
    return [] if setpriv is None else [setpriv, "--pdeathsig", "KILL"]


def _answers(host: str) -> bool:
    try:
        return httpx.get(f"http://{host}/", timeout=5, trust_env=False, verify=False).is_success
    except httpx.HTTPError:
        return False


def _free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _session(emulator: Emulator, factory: pytest.TempPathFactory) -> Iterator[str]:
    reason = missing(emulator)
    if reason is not None:
        pytest.skip(reason)
    with running(emulator, factory.mktemp("emulator")) as host:
        yield host


@pytest.fixture(scope="session")
def firestore_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Host and port of a Firestore emulator; any project is a store of its own."""
    yield from _session(FIRESTORE, tmp_path_factory)


@pytest.fixture(scope="session")
def pubsub_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Host and port of a Pub/Sub emulator; any project has topics of its own."""
    yield from _session(PUBSUB, tmp_path_factory)


def check_report(report: Path) -> list[str]:
    """What is wrong with a test run: emulators that are installed and that no test passed on."""
    cases = [
        f"{case.get('name')}"
        for case in ET.parse(report).getroot().iter("testcase")
        if case.find("skipped") is None
    ]
    return [
        f"The {emulator.name} is installed, but no test ran on it."
        for emulator in (FIRESTORE, PUBSUB)
        if missing(emulator) is None and not any(emulator.tests in name for name in cases)
    ]


if __name__ == "__main__":
    problems = check_report(Path(sys.argv[1]))
    sys.stderr.write("".join(f"{problem}{os.linesep}" for problem in problems))
    sys.exit(bool(problems))
