"""The PyPI emulator ``local-bigquery``, where somebody has installed it (it wants Python 3.13).

It stands in for what the loopback server cannot show: another reading of BigQuery's language and
of its client's calls. It knows no bytes, limits or labels in its books.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

COMMAND = "LOCAL_BIGQUERY"
"""The environment variable that names the command, if it is not on the path."""

_PATIENCE = 60.0


def command() -> str:
    """The emulator's command; skips the test, saying how to get it, where there is none."""
    found = os.environ.get(COMMAND) or shutil.which("local-bigquery")
    if not found or not Path(found).exists():
        pytest.skip(
            f"local-bigquery 0.4.0 is not installed: put it on the path or into {COMMAND} "
            "(a venv of Python 3.13 or later, see docs/decisions/bigquery.md)"
        )
    return found


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def local_bigquery() -> Iterator[str]:
    """A running emulator's ``host:port``."""
    program, port = command(), _free_port()
    with tempfile.TemporaryDirectory() as data:
        arguments = [
            program, "--host", "127.0.0.1", "--port", str(port), "--grpc-port", str(_free_port()),
            "--project", "test-project", "--dataset", "first", "--data-dir", data, "serve",
        ]  # fmt: skip
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _await(port, process)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=10)


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and process.poll() is None:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("local-bigquery did not start")


def make_dataset(host: str) -> str:
    """A dataset of its own with our tables."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    from infra.gcp.table_definitions import TABLES

    name = f"t_{uuid.uuid4().hex[:12]}"
    client = bigquery.Client(
        project="test-project",
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": f"http://{host}"},
    )
    client.create_dataset(name)
    for table in TABLES.values():
        client.create_table(bigquery.Table.from_api_repr(table.resource("test-project", name)))
    client.close()  # type: ignore[no-untyped-call]
    return name
