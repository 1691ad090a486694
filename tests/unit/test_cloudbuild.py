"""Builds and rollouts: well formed, in order, on the safe side when something is bad."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask, Response, request
from werkzeug.serving import make_server

from infra.rollout import smoke
from tests.support import gcloud
from tests.support.cloud_build import problems
from tests.support.terraform_files import parsed

ROOT = Path(__file__).resolve().parents[2]
ROLLOUT = ROOT / "infra" / "rollout"
FILES = ("cloudbuild.yaml", "cloudbuild.release.yaml")
BUILDS: dict[str, Any] = {
    name: yaml.safe_load((ROOT / name).read_text(encoding="utf-8")) for name in FILES
}


@pytest.mark.parametrize("name", FILES)
def test_cloud_build_would_take_it(name: str) -> None:
    assert problems(BUILDS[name]) == []
    # A build that runs as an account of our own has to say where its log goes.
    assert BUILDS[name]["options"]["logging"] == "CLOUD_LOGGING_ONLY"


@pytest.mark.parametrize("change", [
    lambda b: b["steps"][0].update(arguments=["x"]),
    lambda b: b["steps"][0].pop("name"),
    lambda b: b["steps"][1].update(waitFor=["nobody"]),
    lambda b: b["steps"][1].update(id=b["steps"][0]["id"]),
    lambda b: b["steps"][0].update(timeout="10m"),
    lambda b: b["steps"][0].update(timeout="9000s"),
    lambda b: b["substitutions"].pop("_REGION"),
    lambda b: b["substitutions"].update(_UNUSED="x"),
    lambda b: b["substitutions"].update(REGION="x"),
    lambda b: b["options"].update(loging="NONE"),
])  # fmt: skip
@pytest.mark.parametrize("name", FILES)
def test_what_cloud_build_would_not_take_is_noticed(
    name: str, change: Callable[[dict[str, Any]], None]
) -> None:
    build = copy.deepcopy(BUILDS[name])
    change(build)
    assert problems(build)


@pytest.mark.parametrize("name", FILES)
def test_every_script_of_a_step_is_there_and_knows_what_it_is_asked_for(name: str) -> None:
    for step in BUILDS[name]["steps"]:
        script, *arguments = step["args"]
        text = (ROOT / script).read_text(encoding="utf-8")
        if arguments and not arguments[0].startswith("--"):
            assert re.search(rf"^  {arguments[0]}\)", text, re.MULTILINE), (script, arguments)


def test_nothing_is_deployed_before_everything_was_checked() -> None:
    steps = {step["id"]: step for step in BUILDS["cloudbuild.yaml"]["steps"]}

    def before(name: str) -> set[str]:
        direct = set(steps[name]["waitFor"]) if "waitFor" in steps[name] else set()
        return direct | {other for each in direct for other in before(each)}

    assert before("staging") >= {"lint-and-types", "tests", "security", "package"}
    assert before("ask-for-release") >= {"staging", "smoke-test"}


def test_the_release_waits_for_a_person() -> None:
    triggers = parsed().of("google_cloudbuild_trigger")
    approval = triggers["release"].only("approval_config")
    assert approval.attributes == {"approval_required": True}
    assert triggers["release"].only("git_file_source").attributes["path"] == FILES[1]
    assert triggers["check"].attributes["filename"] == FILES[0]
    for trigger, file in (("check", FILES[0]), ("release", FILES[1])):
        given = triggers[trigger].attributes["substitutions"]
        assert given.keys() <= BUILDS[file]["substitutions"].keys()


def test_the_api_is_tried_before_it_gets_traffic_and_a_tenth_before_all() -> None:
    steps = [step["id"] for step in BUILDS["cloudbuild.release.yaml"]["steps"]]
    assert steps == [
        "hold-traffic", "deploy-api", "try-api", "deploy-workers", "a-tenth", "everything",
    ]  # fmt: skip
    assert BUILDS["cloudbuild.release.yaml"]["substitutions"]["_SHARE"] == "10"


def test_checks_are_those_that_were_asked_for() -> None:
    text = (ROLLOUT / "check.sh").read_text(encoding="utf-8")
    for tool in (
        "ruff format --check", "ruff check", "mypy", "--cov-fail-under=80", "bandit", "pip-audit",
        "find_secrets.sh", "checkov", "cyclonedx-py",
    ):  # fmt: skip
        assert tool in text, tool


# --- traffic: the real script against a stand-in for gcloud ---------------------------------------

GCLOUD = '''#!/usr/bin/env python3
"""Keeps the traffic of one service in a file, as Cloud Run does."""
import json, os, sys
state = os.environ["STATE"]
service = json.load(open(state))
words, flags = [], {}
for word in sys.argv[1:]:
    name, _, value = word.partition("=")
    flags.__setitem__(name, value) if word.startswith("--") else words.append(word)
if words[:3] == ["run", "services", "update-traffic"]:
    service["log"].append(flags)
    if "--clear-tags" in flags:
        service["tags"] = {}
    for flag in ("--set-tags", "--update-tags"):
        if flag in flags:
            tag, revision = flags[flag].split("=")
            service["tags"][tag] = revision
    if "--to-revisions" in flags:
        parts = dict(part.split("=") for part in flags["--to-revisions"].split(","))
        service["percent"] = {name: int(share) for name, share in parts.items()}
        assert sum(service["percent"].values()) == 100
    json.dump(service, open(state, "w"))
elif words[:3] == ["run", "services", "describe"]:
    traffic = [{"revisionName": r, "percent": p} for r, p in service["percent"].items()]
    for tag, name in service["tags"].items():
        traffic.append({"revisionName": name, "tag": tag, "url": service["url"]})
    whole = {"status": {"traffic": traffic, "url": service["url"]}}
    shown = {"json": json.dumps(whole), "value(status.url)": service["url"]}
    print(shown.get(flags["--format"], service["newest"]))
elif words[:2] == ["logging", "read"]:
    print("\\n".join(service["failures"]), end="")
else:
    sys.exit(f"unexpected: {sys.argv}")
'''


class Served:
    """A site that answers as the API does, until ``well`` is False."""

    def __init__(self) -> None:
        self.well = True
        app = Flask("served")
        app.add_url_rule("/<path:path>", view_func=self._answer, methods=["GET", "POST"])
        app.add_url_rule("/", view_func=self._answer, methods=["GET"], endpoint="root")
        self._server = make_server("127.0.0.1", 0, app)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, path: str = "") -> Response:
        if not self.well:
            return Response("broken", 500)
        if request.method == "POST":
            return Response('{"error": "unauthenticated"}', 401)
        return Response(
            {"": "<html></html>", "api/v1/openapi.json": '{"openapi": "3.1.0"}'}.get(path, "{}")
        )


@pytest.fixture
def served() -> Iterator[Served]:
    site = Served()
    yield site
    site.close()


class Rollout:
    """A service with an old revision that serves, and a new one."""

    def __init__(self, folder: Path, url: str) -> None:
        self._state = folder / "state.json"
        self.write(
            {"url": url, "newest": "api-2", "percent": {"api-1": 100}, "tags": {}, "log": [],
             "failures": []}
        )  # fmt: skip
        tool = folder / "gcloud"
        tool.write_text(GCLOUD, encoding="utf-8")
        tool.chmod(0o755)
        self._environment = {
            **os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "STATE": str(self._state),
            "PROJECT": "my-project", "REGION": "us-central1", "WATCH_SECONDS": "1",
            "SMOKE_PAUSE": "0", "WATCH_PAUSE": "1",
        }  # fmt: skip

    def write(self, state: dict[str, Any]) -> None:
        self._state.write_text(json.dumps(state), encoding="utf-8")

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._state.read_text(encoding="utf-8"))
        return found

    def step(self, name: str) -> int:
        done = subprocess.run(
            ["bash", str(ROLLOUT / "traffic.sh"), name], env=self._environment,
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        return done.returncode


@pytest.fixture
def rollout(tmp_path: Path, served: Served) -> Rollout:
    return Rollout(tmp_path, served.url)


def test_traffic_moves_step_by_step(rollout: Rollout) -> None:
    assert rollout.step("hold") == 0
    assert rollout.state["percent"] == {"api-1": 100}
    assert rollout.step("try") == 0
    assert rollout.state["percent"] == {"api-1": 100}
    assert rollout.state["tags"] == {"stable": "api-1", "candidate": "api-2"}
    assert rollout.step("share") == 0
    assert rollout.state["percent"] == {"api-2": 10, "api-1": 90}
    assert rollout.step("finish") == 0
    assert rollout.state["percent"] == {"api-2": 100}
    # Even then there is a way back.
    assert rollout.step("back") == 0
    assert rollout.state["percent"] == {"api-1": 100}


def test_a_bad_revision_never_gets_traffic(rollout: Rollout, served: Served) -> None:
    assert rollout.step("hold") == 0
    served.well = False
    assert rollout.step("try") != 0
    assert rollout.state["percent"] == {"api-1": 100}


@pytest.mark.parametrize("step", ["share", "finish"])
def test_what_turns_bad_under_traffic_is_put_back(
    rollout: Rollout, served: Served, step: str
) -> None:
    assert rollout.step("hold") == 0
    assert rollout.step("try") == 0
    served.well = False
    assert rollout.step(step) != 0
    assert rollout.state["percent"] == {"api-1": 100}
    assert any("api-2" in entry.get("--to-revisions", "") for entry in rollout.state["log"])


def test_requests_that_fail_meanwhile_put_it_back_too(rollout: Rollout) -> None:
    assert rollout.step("hold") == 0
    assert rollout.step("try") == 0
    rollout.write({**rollout.state, "failures": ["one\n"]})
    assert rollout.step("share") != 0
    assert rollout.state["percent"] == {"api-1": 100}


def test_a_rollout_that_was_broken_off_can_be_begun_again(rollout: Rollout) -> None:
    for step in ("hold", "try", "share", "hold"):
        assert rollout.step(step) == 0
    assert rollout.state["percent"] == {"api-1": 100}


def test_the_smoke_test_tells_well_from_unwell(served: Served) -> None:
    assert smoke.main([f"--url={served.url}", "--pause=0"]) == 0
    served.well = False
    assert smoke.main([f"--url={served.url}", "--pause=0"]) == 1


# --- gcloud ---------------------------------------------------------------------------------------

P = ("--region=us-central1", "--project=my-project")
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("gcloud", "functions", "deploy", "api", "--gen2", *P, "--quiet", "--source=gs://b/o.zip",
     "--update-labels=release=abc"),
    ("gcloud", "run", "services", "update-traffic", "api", *P, "--clear-tags"),
    ("gcloud", "run", "services", "update-traffic", "api", *P, "--to-revisions=api-1=100",
     "--set-tags=stable=api-1"),
    ("gcloud", "run", "services", "update-traffic", "api", *P, "--update-tags=candidate=api-2"),
    ("gcloud", "run", "services", "describe", "api", *P, "--format=json"),
    ("gcloud", "logging", "read", "x", "--project=my-project", "--freshness=6m", "--limit=5"),
    ("gcloud", "builds", "triggers", "run", "leaderboard-release", *P, "--sha=abc",
     "--substitutions=_RELEASE=abc"),
    ("gcloud", "storage", "cp", "--no-clobber", "a", "gs://b/c", "--project=my-project"),
)  # fmt: skip
"""The commands of the rollout's scripts, which run only on what others have made."""


@pytest.mark.skipif(gcloud.missing() is not None, reason=str(gcloud.missing()))
def test_gcloud_understands_the_rollout(tmp_path: Path) -> None:
    assert gcloud.complaints(COMMANDS, tmp_path) == []


def test_the_commands_above_are_those_of_the_scripts() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(ROLLOUT.glob("*.sh")))
    joined = re.sub(r"(?m)^\s*#.*$", "", text).replace("\\\n", " ")
    verbs = {
        " ".join(found.split())
        for found in re.findall(r"gcloud ((?:[a-z-]+ +){1,3})(?=[\"a-z$-])", joined)
    }
    named = {" ".join(command[1:4]) for command in COMMANDS}
    assert {v for v in verbs if not any(n.startswith(v) or v.startswith(n) for n in named)} <= {
        "builds approve"
    }
