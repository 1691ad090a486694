"""Starts functions as processes of their own, forked from one that has loaded what they all load.

A function's own start takes seconds, nearly all of it for libraries. Reads a JSON object a line:
``function``, ``signature``, ``port``, ``log`` and ``environment``; answers with the child's id.
When its input ends, so do the children. ``tests/support/cloud.py`` runs it.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LOADED = (
    "main", "functions_framework._cli", "infra.gcp.archive", "infra.gcp.ports",
    "google.cloud.bigquery", "google.cloud.firestore_v1.services.firestore",
    "google.cloud.tasks_v2.services.cloud_tasks", "google.pubsub_v1.services.publisher",
    "google.oauth2.id_token",
)  # fmt: skip
"""What the functions import sooner or later. None of it opens a connection or a thread."""


def main() -> None:
    for name in LOADED:
        importlib.import_module(name)
    children = []
    for line in sys.stdin:
        child = os.fork()
        if not child:
            serve(json.loads(line))
        children.append(child)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
    for child in children:
        os.kill(child, signal.SIGTERM)
    for child in children:
        os.waitpid(child, 0)


def serve(asked: dict[str, Any]) -> None:
    """Be the function, as its own start by ``functions-framework`` would make it. Never returns."""
    from functions_framework import _cli

    log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(log, stream)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.chdir(Path(asked["log"]).parent)
    os.environ.update(asked["environment"])
    sys.modules.pop("main")  # the framework loads it by its file
    _cli._cli.main(
        ["--target", asked["function"], "--source", str(ROOT / "main.py"), "--host", "127.0.0.1",
         "--port", str(asked["port"]), "--signature-type", asked["signature"]]
    )  # fmt: skip


if __name__ == "__main__":
    main()
