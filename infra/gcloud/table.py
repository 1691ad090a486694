"""Rows of infra/deployment.json for the shell scripts, one a line, with ``|`` between fields.

``python3 infra/gcloud/table.py NAME``: needs nothing but Python itself.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TABLE: Mapping[str, Any] = json.loads((ROOT / "infra" / "deployment.json").read_text("utf-8"))
FUNCTIONS: Mapping[str, Any] = TABLE["functions"]
GRANTS: Mapping[str, Any] = TABLE["grants"]
SECRETS: Mapping[str, list[str]] = {
    name: [*function["secrets"], *TABLE["secrets_of_all"]] for name, function in FUNCTIONS.items()
}

Rows = Iterable[Iterable[object]]


def value(name: str) -> Rows:
    """An entry by its path with dots; of a list, a member a line."""
    found: Any = TABLE
    for part in name.split("."):
        found = found[part]
    return [[each] for each in (found if isinstance(found, list) else [found])]


def functions() -> Rows:
    names = (
        "account", "trigger", "timeout", "memory", "cpu", "concurrency", "min_instances",
        "max_instances",
    )  # fmt: skip
    for name, function in FUNCTIONS.items():
        secrets = ",".join(SECRETS[name])
        own = ",".join(f"{key}={value}" for key, value in function.get("environment", {}).items())
        yield (name, *(function[each] for each in names), secrets, own)


def accounts() -> Rows:
    yield from ((f["account"], f"Leaderboard: {name}") for name, f in FUNCTIONS.items())
    yield from ((c["account"], f"Leaderboard: calls by {n}") for n, c in TABLE["callers"].items())
    yield ("lb-build", "Leaderboard: builds of functions")


def roles(level: str) -> Rows:
    """Accounts and roles on a level: project, database, dataset, queues, blobs_bucket or itself."""
    for function in FUNCTIONS.values():
        given = dict.fromkeys(
            role for grant in function["grants"] for role in GRANTS[grant].get(level, [])
        )
        yield from ((function["account"], role) for role in given)


def enqueuers() -> Rows:
    for function in FUNCTIONS.values():
        if any(GRANTS[grant].get("acts_as_tasks") for grant in function["grants"]):
            yield (function["account"],)


def publishers() -> Rows:
    for function in FUNCTIONS.values():
        yield from ((function["account"], topic) for topic in function["publishes"])


def secret_readers() -> Rows:
    for name, function in FUNCTIONS.items():
        yield from ((function["account"], secret) for secret in SECRETS[name])


def callers() -> Rows:
    for name, function in FUNCTIONS.items():
        if function["trigger"] != "http":
            yield name.replace("_", "-"), TABLE["callers"][function["trigger"]]["account"]
    for name in TABLE["called_by_tasks_too"]:
        yield name.replace("_", "-"), TABLE["callers"]["task"]["account"]


def queues() -> Rows:
    retry = TABLE["queue_retry"]
    for name, queue in TABLE["queues"].items():
        full_name = TABLE["queue_prefix"] + name
        yield (full_name, queue["max_concurrent"], queue["per_second"], *retry.values())


def subscriptions() -> Rows:
    for name, each in TABLE["subscriptions"].items():
        yield name, each["topic"], each["function"], each["dead_letter_topic"] or ""


def schedules() -> Rows:
    for name, each in TABLE["schedules"].items():
        yield name, each["function"], each["cron"], each["what"]


def secrets() -> Rows:
    for name, each in TABLE["secrets"].items():
        yield name, each["id"], "generated" if each["generated"] else ""


def indexes() -> Rows:
    for each in TABLE["indexes"]:
        fields = (f"field-path={path},order={order.lower()}" for path, order in each["fields"])
        yield (each["collection"], *fields)


def tables() -> Rows:
    layouts = json.loads((ROOT / "terraform" / "schemas" / "tables.json").read_text("utf-8"))
    for name, each in layouts.items():
        yield name, each["partition_by"] or "", ",".join(each["cluster_by"])


LISTS: Mapping[str, Callable[..., Rows]] = {
    each.__name__: each
    for each in (
        value, functions, accounts, roles, enqueuers, publishers, secret_readers, callers, queues,
        subscriptions, schedules, secrets, indexes, tables,
    )
}  # fmt: skip

if __name__ == "__main__":
    for row in LISTS[sys.argv[1]](*sys.argv[2:]):
        sys.stdout.write("|".join(map(str, row)) + "\n")
