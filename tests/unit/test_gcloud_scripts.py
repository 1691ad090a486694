"""Deploying by gcloud: what the scripts would do, and that gcloud would understand it."""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra import package
from tests.support import gcloud
from tests.support.deployment import load

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "infra" / "gcloud"
TABLE = load()
OPEN = {name for name, each in TABLE["functions"].items() if each["trigger"] == "http"}

needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
needs_gcloud = pytest.mark.skipif(gcloud.missing() is not None, reason=str(gcloud.missing()))


@functools.cache
def commands(script: str, **settings: str) -> list[list[str]]:
    """The commands that a script would run, and those it asks whether something is there by."""
    python = {"PYTHON": sys.executable}
    environment = {**os.environ, **python, "PROJECT": "my-project", "DRY_RUN": "1", **settings}
    done = subprocess.run(
        ["bash", str(SCRIPTS / script)], env=environment, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith(("+ ", "? "))]
    return [shlex.split(line[2:]) for line in lines]


def run(*words: str, of: list[list[str]]) -> list[list[str]]:
    """The commands that begin with some words."""
    return [command for command in of if command[: len(words)] == list(words)]


@needs_bash
@needs_gcloud
def test_gcloud_understands_every_command_and_every_flag(tmp_path: Path) -> None:
    of_everything = [
        *commands("deploy.sh"),
        *commands("deploy.sh", DRY_RUN="update"),
        *commands("teardown.sh", DATA="1"),
    ]
    shapes = {
        gcloud.shape(command): command
        for command in of_everything
        if command[0] in ("gcloud", "bq")
    }
    assert len(shapes) > 40
    assert gcloud.complaints(list(shapes.values()), tmp_path) == []


@needs_gcloud
def test_what_gcloud_does_not_understand_is_noticed(tmp_path: Path) -> None:
    wrong = [
        ["gcloud", "tasks", "queues", "create", "x", "--location=y", "--max-dispatch=3"],
        ["gcloud", "functions", "deploi", "x"],
        ["bq", "--project_id=p-1", "mk", "--table", "--clusters=a", "p-1:a.b"],
    ]
    assert len(gcloud.complaints(wrong, tmp_path)) == len(wrong)


@needs_bash
def test_the_script_makes_what_the_table_says() -> None:
    made = commands("deploy.sh")
    deployed = {c[3]: c for c in run("gcloud", "functions", "deploy", of=made)}
    assert deployed.keys() == TABLE["functions"].keys()
    for name, command in deployed.items():
        function = TABLE["functions"][name]
        account = f"--service-account={function['account']}@my-project.iam.gserviceaccount.com"
        assert account in command
        assert f"--timeout={function['timeout']}s" in command
        assert ("--allow-unauthenticated" in command) == (name in OPEN)
        assert ("--no-allow-unauthenticated" in command) == (name not in OPEN)
    queues = run("gcloud", "tasks", "queues", "create", of=made)
    assert [c[4] for c in queues] == [f"leaderboard-{queue}" for queue in TABLE["queues"]]
    assert all("--min-backoff=60s" in c and "--max-backoff=240s" in c for c in queues)
    for kind, names in (("topics", TABLE["topics"]), ("subscriptions", TABLE["subscriptions"])):
        assert {c[4] for c in run("gcloud", "pubsub", kind, "create", of=made)} == set(names)
    schedules = run("gcloud", "scheduler", "jobs", "create", "http", of=made)
    assert {c[5] for c in schedules} == TABLE["schedules"].keys()
    indexes = run("gcloud", "firestore", "indexes", "composite", "create", of=made)
    assert len(indexes) == len(TABLE["indexes"])


@needs_bash
def test_the_script_gives_the_roles_that_terraform_gives() -> None:
    made = commands("deploy.sh")

    def bound(*words: str) -> set[tuple[str, str]]:
        flags = [dict(p.split("=", 1) for p in c if "=" in p) for c in run(*words, of=made)]
        short = ((f["--member"].split(":")[1].split("@")[0], f["--role"]) for f in flags)
        return {(account, role) for account, role in short if account != "lb-build"}

    def wanted(level: str) -> set[tuple[str, str]]:
        return {
            (function["account"], role)
            for function in TABLE["functions"].values()
            for grant in function["grants"]
            for role in TABLE["grants"][grant].get(level, [])
        }

    assert bound("gcloud", "projects", "add-iam-policy-binding") == (
        wanted("project") | wanted("database")
    )
    assert bound("gcloud", "tasks", "queues", "add-iam-policy-binding") == wanted("queues")
    on_bucket = ("gcloud", "storage", "buckets", "add-iam-policy-binding")
    assert bound(*on_bucket) == wanted("blobs_bucket")
    assert all(c[4] == "gs://my-project-leaderboard-blobs" for c in run(*on_bucket, of=made))
    in_own_name = {
        (c[4].split("@")[0], role)
        for c in run("gcloud", "iam", "service-accounts", "add-iam-policy-binding", of=made)
        for role in [flag.removeprefix("--role=") for flag in c if flag.startswith("--role=")]
        if f"--member=serviceAccount:{c[4]}" in c
    }
    assert in_own_name == wanted("itself")
    invokers = run("gcloud", "run", "services", "add-iam-policy-binding", of=made)
    assert {c[4] for c in invokers} == {
        name.replace("_", "-") for name in TABLE["functions"] if name not in OPEN
    }
    granted = " ".join(c[-1] for c in run("bq", "query", of=made))
    assert all(f"{account}@" in granted and role in granted for account, role in wanted("dataset"))
    assert "allUsers" not in str(made)


@needs_bash
@pytest.mark.parametrize("again", ["1", "update"])
def test_functions_start_with_the_secrets_that_have_a_value(again: str) -> None:
    """A first run has the generated ones only; a repeat finds what the owner added."""
    made = commands("deploy.sh", DRY_RUN=again)
    has_value = {
        name
        for name, secret in TABLE["secrets"].items()
        if secret["generated"] or again == "update"
    }
    for command in run("gcloud", "functions", "deploy", of=made):
        wanted = {s for s in TABLE["functions"][command[3]]["secrets"] if s in has_value}
        given = {part for part in command if part.startswith(("--set-secrets", "--clear-secrets"))}
        pairs = ",".join(
            f"{name}={TABLE['secrets'][name]['id']}:latest"
            for name in TABLE["functions"][command[3]]["secrets"]
            if name in wanted
        )
        assert given == ({f"--set-secrets={pairs}"} if wanted else {"--clear-secrets"}), command[3]


@needs_bash
def test_the_api_can_be_closed() -> None:
    made = commands("deploy.sh", PUBLIC="0")
    deployed = run("gcloud", "functions", "deploy", of=made)
    assert all("--no-allow-unauthenticated" in command for command in deployed)


@needs_bash
def test_everything_that_is_made_is_taken_away_again() -> None:
    gone = commands("teardown.sh", DATA="1")
    for words, names in {
        ("functions", "delete"): TABLE["functions"],
        ("pubsub", "subscriptions", "delete"): TABLE["subscriptions"],
        ("pubsub", "topics", "delete"): TABLE["topics"],
        ("scheduler", "jobs", "delete"): TABLE["schedules"],
        ("tasks", "queues", "delete"): TABLE["queues"],
    }.items():
        assert len(run("gcloud", *words, of=gone)) == len(names), words


@needs_bash
def test_data_stays_unless_it_is_asked_for() -> None:
    gone = " ".join(" ".join(command) for command in commands("teardown.sh"))
    for kept in ("firestore databases delete", "bq rm", "secrets delete", "storage rm"):
        assert kept not in gone


@needs_bash
def test_tear_down_wants_the_projects_name() -> None:
    done = subprocess.run(
        ["bash", str(SCRIPTS / "teardown.sh")], env={**os.environ, "PROJECT": "my-project"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "CONFIRM=my-project" in done.stderr


def test_the_same_source_packs_to_the_same_bytes(tmp_path: Path) -> None:
    first = package.pack(tmp_path / "first.zip").read_bytes()
    assert package.pack(tmp_path / "second.zip").read_bytes() == first
    packed = {path.relative_to(ROOT).as_posix() for path in package.sources()}
    assert {"main.py", "requirements.txt", "shared/sql/rank_board.sql"} <= packed
    assert not [name for name in packed if name.endswith((".pyc", ".json.gz", ".sh"))]
