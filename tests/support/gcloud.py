"""Whether gcloud and bq understand a command, asked without an account and without a network."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

_IN_ONE_PROCESS = Path(__file__).with_name("gcloud_in_one_process.py")

_LAST = {
    "create",
    "update",
    "delete",
    "describe",
    "deploy",
    "enable",
    "add",
    "list",
    "cp",
    "rm",
    "http",
}
_LAST |= {"add-iam-policy-binding", "remove-iam-policy-binding", "mk", "show", "query"}
"""Verbs behind which names follow."""

_UNDERSTOOD = re.compile(r"do not currently have an active account|required for\s+authentication")


def missing() -> str | None:
    """Why it cannot be asked here, None if it can."""
    return None if shutil.which("gcloud") else "gcloud is not installed"


def shape(command: Sequence[str]) -> tuple[str, ...]:
    """A command without its values: commands of one shape are understood alike."""
    verbs = [part for part in command[:6] if re.fullmatch(r"[a-z-]+", part)]
    flags = {part.split("=")[0] for part in command if part.startswith("--")}
    depths = [n for n, verb in enumerate(verbs) if verb in _LAST]
    depth = depths[-1] if depths else len(verbs) - 1
    return (*verbs[: depth + 1], *sorted(flags))


def complaints(commands: Sequence[Sequence[str]], folder: Path) -> list[str]:
    """What gcloud or bq does not understand of some commands. ``folder`` is for empty settings."""
    of_gcloud = [command for command in commands if command[0] == "gcloud"]
    answers = list(zip(of_gcloud, _ask_gcloud(of_gcloud, folder), strict=True))
    answers += [(each, _ask_bq(each, folder)) for each in commands if each[0] == "bq"]
    return [
        f"{' '.join(command)}: {said.strip()[:300]}"
        for command, said in answers
        if not _UNDERSTOOD.search(said)
    ]


_INHERITED = {key: value for key, value in os.environ.items() if key != "PYTHONPYCACHEPREFIX"}
"""Without where this project keeps compiled modules: gcloud's lie beside its own."""


def _ask_gcloud(commands: Sequence[Sequence[str]], folder: Path) -> list[str]:
    root, python = _places()
    done = _run([python, str(_IN_ONE_PROCESS), root], folder, json.dumps(list(map(list, commands))))
    assert done.returncode == 0, done.stderr
    return [answer["said"] for answer in json.loads(done.stdout)]


def _ask_bq(command: Sequence[str], folder: Path) -> str:
    """bq itself: what wraps it asks for an account before it looks at any flag.

    Without gcloud in its path it gives up as soon as it wants an account, not after some tries.
    """
    root, python = _places()
    bq = str(Path(root) / "platform" / "bq" / "bq.py")
    done = _run([python, bq, "--headless", *command[1:]], folder, PATH="/nonexistent")
    return done.stdout + done.stderr


def _run(
    command: Sequence[str], folder: Path, given: str = "", **changed: str
) -> subprocess.CompletedProcess[str]:
    environment = {
        **_INHERITED,
        "CLOUDSDK_CONFIG": str(folder),
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "GOOGLE_APPLICATION_CREDENTIALS": "",
        "HOME": str(folder),
        **changed,
    }
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, input=given,
        env=environment,
    )  # fmt: skip


@functools.cache
def _places() -> tuple[str, str]:
    """The folder of gcloud, and the Python that it runs on."""
    asked = subprocess.run(
        ["gcloud", "info", "--format=value(installation.sdk_root,basic.python_location)"],
        capture_output=True, text=True, check=True, timeout=60, env=_INHERITED,
    )  # fmt: skip
    root, python = asked.stdout.split()
    return root, python
