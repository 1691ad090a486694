"""Terraform's files by themselves: form, arguments, references, who owns what."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra import table_schemas
from tests.support import provider_schema
from tests.support.deployment import load
from tests.support.terraform_files import FOLDER, Block, Terraform, kinds, parsed, problems

TERRAFORM = parsed()
SCHEMA = provider_schema.load()

needs_terraform = pytest.mark.skipif(
    shutil.which("terraform") is None, reason="terraform is not installed"
)


def terraform(*arguments: str, folder: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run Terraform without a network and without anybody's settings."""
    environment = {
        "PATH": str(Path(shutil.which("terraform") or "").parent),
        "CHECKPOINT_DISABLE": "1",
        "TF_CLI_CONFIG_FILE": "/dev/null",
        "TF_IN_AUTOMATION": "1",
        "HOME": str(folder),
    }
    return subprocess.run(
        ["terraform", *arguments], cwd=folder, env=environment, input=given,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@needs_terraform
def test_the_files_are_formatted() -> None:
    done = terraform("fmt", "-check", "-diff", str(FOLDER), folder=FOLDER)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_argument_is_one_the_provider_knows_and_none_is_missing() -> None:
    assert problems(TERRAFORM, SCHEMA) == []


def test_the_schema_is_of_a_provider_that_the_files_ask_for() -> None:
    major, minor, _ = SCHEMA["provider"].split(".")
    required = [block.only("required_providers") for block in TERRAFORM.settings]
    assert required[0].attributes["google"]["version"] == f"~> {major}.{minor}"
    assert kinds(TERRAFORM) == SCHEMA["resources"].keys()


# --- that the check above would notice ----------------------------------------------------------


def places(block: Block, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Block]]:
    yield path, block
    for number, (name, inner) in enumerate(block.blocks):
        if name != "lifecycle":
            yield from places(inner, (*path, number))


def at(block: Block, path: tuple[int, ...]) -> Block:
    for number in path:
        block = block.blocks[number][1]
    return block


@pytest.mark.parametrize(
    "key",
    [k for k in TERRAFORM.resources if k[0].startswith(("google_", "data.google_"))],
    ids=".".join,
)
def test_misspelling_or_leaving_out_any_argument_is_noticed(key: tuple[str, str]) -> None:
    schema = SCHEMA["resources"][key[0]]

    def noticed(change: Block) -> list[str]:
        changed = Terraform(resources={key: change})
        return [p for p in problems(changed, SCHEMA) if "referred to" not in p and "used" not in p]

    original = TERRAFORM.resources[key]
    assert noticed(original) == []
    for path, place in places(original):
        known: dict[str, Any] = schema
        for number, depth in zip(path, range(len(path)), strict=True):
            known = known["blocks"][at(original, path[:depth]).blocks[number][0]]
        for name in place.attributes:
            wrong = copy.deepcopy(original)
            attributes = at(wrong, path).attributes
            attributes[f"{name}x"] = attributes.pop(name)
            assert noticed(wrong), (path, name)
            without = copy.deepcopy(original)
            del at(without, path).attributes[name]
            assert bool(noticed(without)) == known["attributes"].get(name, False), (path, name)
        for number, (name, _) in enumerate(place.blocks):
            wrong = copy.deepcopy(original)
            at(wrong, path).blocks[number] = (f"{name}x", at(wrong, path).blocks[number][1])
            assert noticed(wrong), (path, name)


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("google_service_account.caller[", "google_service_account.callers["),
        ("google_bigquery_dataset.facts.location", "google_bigquery_dataset.facts.place"),
        ("var.billing_alert_usd)", "var.billing_alert)"),
        ("local.queues", "local.lines"),
    ],
)  # fmt: skip
def test_a_reference_to_nothing_is_noticed(text: str, becomes: str, tmp_path: Path) -> None:
    for path in FOLDER.glob("*.tf"):
        changed = path.read_text(encoding="utf-8").replace(text, becomes)
        (tmp_path / path.name).write_text(changed, encoding="utf-8")
    assert problems(parsed(tmp_path), SCHEMA)


# --- who owns what --------------------------------------------------------------------------------


def ignored(kind: str, name: str) -> list[str]:
    block = TERRAFORM.resources[kind, name].only("lifecycle")
    return [re.sub(r"^\$\{|\}$", "", text) for text in block.attributes["ignore_changes"]]


def test_terraform_leaves_source_and_traffic_to_the_rollout_and_nothing_else() -> None:
    """docs/deployment.md: an apply neither deploys other source nor moves traffic."""
    assert ignored("google_cloudfunctions2_function", "function") == [
        "build_config[0].source",
        "service_config[0].all_traffic_on_latest_revision",
    ]
    service = TERRAFORM.resources["google_cloudfunctions2_function", "function"].only(
        "service_config"
    )
    assert service.attributes["all_traffic_on_latest_revision"] is False
    assert "source" in ignored("google_storage_bucket_object", "initial_source")
    with_lifecycle = {
        key
        for key, block in TERRAFORM.resources.items()
        if any(name == "lifecycle" for name, _ in block.blocks)
    }
    assert with_lifecycle == {
        ("google_cloudfunctions2_function", "function"),
        ("google_storage_bucket_object", "initial_source"),
    }


def test_the_rollout_sets_no_configuration() -> None:
    """The other side: the scripts of the rollout name neither memory nor variables nor accounts."""
    owned = (
        "--memory", "--cpu", "--concurrency", "--timeout", "--min-instances", "--max-instances",
        "--set-env-vars", "--update-env-vars", "--set-secrets", "--service-account",
        "--run-service-account", "--allow-unauthenticated", "--ingress-settings",
    )  # fmt: skip
    scripts = sorted((FOLDER.parent / "infra" / "rollout").glob("*.sh"))
    assert scripts
    for script in scripts:
        text = script.read_text(encoding="utf-8")
        assert not [flag for flag in owned if flag in text], script.name
        assert "--to-latest" not in text
        assert "--serve-all-traffic-latest-revision" not in text


# --- who may call ---------------------------------------------------------------------------------


def test_everybody_may_call_the_api_and_nothing_else() -> None:
    public = {
        key
        for key, block in TERRAFORM.resources.items()
        if any("allUsers" in text or "allAuthenticatedUsers" in text for text in block.text())
    }
    assert public == {("google_cloud_run_v2_service_iam_member", "public")}
    opened = TERRAFORM.resources["google_cloud_run_v2_service_iam_member", "public"]
    assert (
        opened.attributes["for_each"]
        == '${var.public_api ? toset(["api", "stream_logs"]) : toset([])}'
    )


def test_no_role_is_given_to_whoever_else_has_it() -> None:
    """Policies and bindings would take roles from others; members only add."""
    assert not [kind for kind in kinds(TERRAFORM) if kind.endswith(("_iam_policy", "_iam_binding"))]
    broad = {"roles/owner", "roles/editor", "roles/viewer"}
    text = TERRAFORM.text() + json.dumps(load())
    assert not [role for role in broad if f'"{role}"' in text]


# --- evaluated by Terraform itself ----------------------------------------------------------------


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that name no resource, which Terraform evaluates without any provider."""
    folder = tmp_path_factory.mktemp("alone")
    shutil.copytree(FOLDER / "schemas", folder / "terraform" / "schemas")
    (folder / "infra").mkdir()
    shutil.copy(FOLDER.parent / "infra" / "deployment.json", folder / "infra")
    for name in ("variables.tf", "locals.tf", "roles.tf"):
        shutil.copy(FOLDER / name, folder / "terraform")
    return folder / "terraform"


def value(folder: Path, expression: str, *variables: str) -> Any:
    given = [f"-var={each}" for each in ("project=my-project", *variables)]
    done = terraform("console", *given, folder=folder, given=f"jsonencode({expression})\n")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(json.loads(done.stdout))


@needs_terraform
def test_every_grant_becomes_a_binding(alone: Path) -> None:
    deployment = load()
    functions, grants = deployment["functions"], deployment["grants"]
    maps = {"project": "project", "database": "database", "dataset": "dataset", "queues": "queue"}
    listed = ", ".join(f"{level}=keys(local.{name}_roles)" for level, name in maps.items())
    for level, bindings in value(alone, f"{{{listed}}}").items():
        wanted = {
            " ".join([name, queue, role] if level == "queues" else [name, role])
            for name, function in functions.items()
            for grant in function["grants"]
            for role in grants[grant].get(level, [])
            for queue in (deployment["queues"] if level == "queues" else [""])
        }
        assert set(bindings) == wanted, level
    assert set(value(alone, "local.enqueuers")) == {
        name for name, function in functions.items() if "enqueue" in function["grants"]
    }
    assert set(value(alone, "keys(local.publishers)")) == {
        f"{name} {topic}" for name, function in functions.items() for topic in function["publishes"]
    }
    assert set(value(alone, "keys(local.secret_readers)")) == {
        f"{name} {secret}" for name, function in functions.items() for secret in function["secrets"]
    }
    called_by = {
        name: {"function": name, "caller": function["trigger"]}
        for name, function in functions.items()
        if function["trigger"] != "http"
    }
    assert value(alone, "local.called_by") == called_by | {
        f"{name} task": {"function": name, "caller": "task"}
        for name in deployment["called_by_tasks_too"]
    }


@needs_terraform
def test_functions_start_with_the_secrets_that_have_a_value(alone: Path) -> None:
    generated = {name for name, secret in load()["secrets"].items() if secret["generated"]}
    assert set(value(alone, "local.usable_secrets")) == generated
    added = value(alone, "local.usable_secrets", 'secrets_added=["GITHUB_TOKEN"]')
    assert set(added) == generated | {"GITHUB_TOKEN"}


@needs_terraform
def test_an_app_is_told_by_its_id_and_installation(alone: Path) -> None:
    assert value(alone, "local.github_app") == {}
    given = ('github_app={id="12",installation=77}', 'secrets_added=["GITHUB_APP_PRIVATE_KEY"]')
    assert value(alone, "local.github_app", *given) == {
        "GITHUB_APP_ID": "12", "GITHUB_APP_INSTALLATION": "77",
    }  # fmt: skip


@needs_terraform
def test_variables_change_what_they_name_and_nothing_else(alone: Path) -> None:
    changed = value(alone, "local.functions", 'functions={api={memory="1Gi",min_instances=1}}')
    expected = load()["functions"]
    expected["api"] |= {"memory": "1Gi", "min_instances": 1}
    assert changed == expected


@needs_terraform
@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("project=x", "project id"),
        ("region=moon", "us-central1"),
        ('functions={nobody={memory="1Gi"}}', "does not"),
        ("functions={api={timeout=400}}", "lease"),
        ('functions={api={memory="512"}}', "512Mi"),
        ('functions={api={cpu="0.5",concurrency=20}}', "whole CPU"),
        ("budget_daily_usd=80", "at least that of a day"),
        ("archive_partition_days=365", "735"),
        ('api_callers=["allUsers"]', "public_api"),
        ("bigquery_location=EU", "US"),
        ("otlp_endpoint=collector:4318", "https"),
        ('secrets_added=["WEBHOOK_SECRET"]', "not generated"),
        ('secrets_added=["NOBODYS"]', "not generated"),
        ('github_app={id="12",installation=77}', "needs its key"),
        ("billing_account=mine", "billing account"),
        ("repository=projects/p/locations/l/connections/c/repositories/r", "staging"),
    ],
)
def test_a_wrong_variable_is_refused_with_a_reason(alone: Path, variable: str, said: str) -> None:
    given = ["-var=project=my-project", f"-var={variable}"]
    done = terraform("plan", "-input=false", "-no-color", *given, folder=alone)
    assert done.returncode != 0
    assert said in re.sub(r"\W*\n\W*", " ", done.stdout + done.stderr)


# --- tables ---------------------------------------------------------------------------------------


def test_the_schemas_are_those_of_the_code() -> None:
    """``python -m infra.table_schemas`` makes them anew."""
    kept = {
        path.name: path.read_text(encoding="utf-8") for path in table_schemas.FOLDER.glob("*.json")
    }
    assert kept == table_schemas.files()
