"""The table of what is deployed, held against the code that it deploys."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import shared.messages
from infra.delivery_rules import CALL_DEADLINE
from infra.local.events import SUBSCRIPTIONS
from infra.local.schedules import SCHEDULES
from infra.local.tasks import QUEUES
from shared.jobs import FUNCTIONS
from shared.settings import Settings
from tests.support.deployment import load
from tests.support.reach import ROOT, needs, reached
from tests.support.stored import collections, queries, tasks, texts
from tests.support.terraform_files import parsed

TABLE = load()
TERRAFORM = parsed()
STEP = timedelta(minutes=5)
"""The longest that a step takes, by design."""

FEW_MINUTES = timedelta(minutes=9)
"""After which the platform ends whatever answers events."""

AN_HOUR = timedelta(hours=1)
"""After which it ends answers to plain requests."""


def exports() -> set[str]:
    tree = ast.parse((ROOT / "main.py").read_text(encoding="utf-8"))
    return {
        alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }


# --- functions ------------------------------------------------------------------------------------


def test_every_exported_function_is_deployed_and_nothing_else() -> None:
    assert TABLE["functions"].keys() == exports()


def test_every_function_has_its_account_and_a_trigger() -> None:
    accounts = [f["account"] for f in (*TABLE["functions"].values(), *TABLE["callers"].values())]
    assert len(set(accounts)) == len(accounts)
    assert all(re.fullmatch(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", account) for account in accounts)
    triggered = {
        "task": {*FUNCTIONS.values(), "enrich_contributor"},
        "event": {s["function"] for s in TABLE["subscriptions"].values()},
        "schedule": {s["function"] for s in TABLE["schedules"].values()},
        "http": {"api", "stream_logs"},
    }
    for trigger, expected in triggered.items():
        named = {name for name, f in TABLE["functions"].items() if f["trigger"] == trigger}
        assert named == expected, trigger
    assert TABLE["callers"].keys() | {"http"} == triggered.keys()


def test_functions_are_told_settings_that_exist() -> None:
    told = TERRAFORM.locals["environment"].keys()
    known = {name.upper() for name in Settings.model_fields}
    assert told <= known
    assert TABLE["secrets"].keys() <= known
    assert {"BACKEND", "GOOGLE_CLOUD_PROJECT", "TASKS_SERVICE_ACCOUNT"} <= told
    for function in TABLE["functions"].values():
        assert set(function["secrets"]) <= TABLE["secrets"].keys()


def test_every_function_that_may_tell_people_something_knows_where_to() -> None:
    where = {"NOTIFY_WEBHOOK_URL", "NOTIFY_WEBHOOK_SECRET", "SLACK_WEBHOOK_URL"}
    telling = {name for name in exports() if ("shared.notices", "writes") in reached(name)}
    assert {"export_data", "run_pipeline", "scrape_repository"} <= telling
    for name in telling | {"sweep_jobs"}:
        assert where <= set(TABLE["functions"][name]["secrets"]), name


# --- roles ----------------------------------------------------------------------------------------

_READS = {"query", "unit", "units", "estimate", "usage", "ledger"}

BEYOND: dict[tuple[str, str], str] = {
    ("scrape_repository", "units"): "a unit is derived in place",
    ("scrape_repository", "runs_of_others"): "attaches to a scan that another job began",
    ("recalculate_board", "runs_of_others"): "attaches to a run of its dead predecessor",
    ("sweep_jobs", "statements"): "settles what a dead worker reserved",
    ("report_budget", "runs_of_others"): "reads what all runs were billed (INFORMATION_SCHEMA)",
    ("api", "blobs"): "people ask it for files that are made for them",
    ("api", "signs_links"): "and get links to them",
    ("sweep_jobs", "runs_of_others"): "asks BigQuery what the dead worker's run was billed",
}
"""Grants beyond what the calls of ports show, and why."""


def wanted_grants(function: str) -> tuple[set[str], set[str]]:
    """The grants that its calls of ports ask for, and the topics it publishes to."""
    calls = {tuple(call.split(".", 1)) for call in needs(function)}
    topics = {verb.split(" ", 1)[1] for port, verb in calls if port == "events"}
    verbs = {verb for port, verb in calls if port == "warehouse"}
    grants = set()
    if any(port == "documents" for port, _ in calls):
        grants.add("documents")
    if any(port == "blobs" for port, _ in calls):
        grants.add("blobs")
    if ("blobs", "link") in calls:
        grants.add("signs_links")
    if ("tasks", "add") in calls:
        grants.add("enqueue")
    if ("tasks", "depths") in calls:
        grants.add("queue_depths")
    if verbs:
        grants |= {"statements", "units" if verbs - _READS else "read_units"}
    return grants, topics


def lacking(table: dict[str, Any]) -> list[str]:
    """What functions of a table may not do though their code does it, or may and does not."""
    found = []
    for name in sorted(exports()):
        function = table["functions"][name]
        grants, topics = wanted_grants(name)
        allowed = {grant for of, grant in BEYOND if of == name}
        found += [f"{name} lacks {grant}" for grant in grants - set(function["grants"])]
        found += [f"{name} needs no {g}" for g in set(function["grants"]) - grants - allowed]
        found += [f"{name} lacks topic {topic}" for topic in topics - set(function["publishes"])]
        found += [f"{name} needs no {topic}" for topic in set(function["publishes"]) - topics]
    return found


def test_each_function_may_do_what_its_code_does_and_no_more() -> None:
    assert lacking(TABLE) == []


@pytest.mark.parametrize("name", sorted(exports()))
def test_a_grant_that_is_taken_away_is_missed(name: str) -> None:
    for kind in ("grants", "publishes"):
        for given in TABLE["functions"][name][kind]:
            if (name, given) in BEYOND:
                continue
            table = copy.deepcopy(TABLE)
            table["functions"][name][kind].remove(given)
            assert lacking(table), given


def test_every_grant_says_why_and_is_used() -> None:
    used = {grant for f in TABLE["functions"].values() for grant in f["grants"]}
    assert used == TABLE["grants"].keys()
    assert all(grant["why"] for grant in TABLE["grants"].values())


BINDINGS = {
    "google_project_iam_member.function": "local.project_roles",
    "google_project_iam_member.documents": "local.database_roles",
    "google_bigquery_dataset_iam_member.function": "local.dataset_roles",
    "google_cloud_tasks_queue_iam_member.function": "local.queue_roles",
    "google_service_account_iam_member.acts_as_tasks": "local.enqueuers",
    "google_storage_bucket_iam_member.blobs": "local.blobs_roles",
    "google_service_account_iam_member.itself": "local.own_roles",
    "google_pubsub_topic_iam_member.function": "local.publishers",
    "google_secret_manager_secret_iam_member.function": "local.secret_readers",
    "google_cloud_run_v2_service_iam_member.caller": "local.called_by",
}
"""The resource that makes bindings of each map of roles.tf."""

OTHER_ROLES = {
    "google_project_iam_member.build", "google_artifact_registry_repository_iam_member.build",
    "google_service_account_iam_member.pubsub_tokens",
    "google_pubsub_topic_iam_member.dead_letters",
    "google_pubsub_subscription_iam_member.dead_letters", "google_project_iam_member.exports",
    "google_storage_bucket_iam_member.exports", "google_cloud_run_v2_service_iam_member.public",
    "google_cloud_run_v2_service_iam_member.known", "google_project_iam_member.deployer",
    "google_service_account_iam_member.deployer", "google_storage_bucket_iam_member.deployer",
    "google_project_iam_member.ci", "google_project_iam_member.release",
    "google_service_account_iam_member.ci_asks_for_releases", "google_storage_bucket_iam_member.ci",
}  # fmt: skip
"""Bindings of the platform's agents, of builds and of rollouts."""


def test_no_binding_is_missing_and_none_is_unaccounted_for() -> None:
    made = {
        f"{kind}.{name}": block
        for (kind, name), block in TERRAFORM.resources.items()
        if kind.endswith("_iam_member")
    }
    assert made.keys() == BINDINGS.keys() | OTHER_ROLES
    for name, over in BINDINGS.items():
        assert made[name].attributes["for_each"] == f"${{{over}}}"
    callers = made["google_cloud_run_v2_service_iam_member.caller"].attributes
    assert callers["role"] == "roles/run.invoker"
    assert callers["member"] == "${google_service_account.caller[each.value.caller].member}"


def test_cloud_tasks_may_call_every_function_that_a_task_names() -> None:
    by_tasks = {name for name, f in TABLE["functions"].items() if f["trigger"] == "task"}
    assert tasks() == by_tasks | set(TABLE["called_by_tasks_too"])
    assert by_tasks.isdisjoint(TABLE["called_by_tasks_too"])


# --- queues, topics, schedules --------------------------------------------------------------------


def test_the_queues_are_the_embedded_ones() -> None:
    retry = TABLE["queue_retry"]
    assert TABLE["queue_prefix"] == Settings().tasks_queue_prefix
    assert list(TABLE["queues"]) == [queue.name for queue in QUEUES]
    for queue in QUEUES:
        given = TABLE["queues"][queue.name]
        assert given["max_concurrent"] == queue.pacing.max_concurrent
        assert given["per_second"] == pytest.approx(queue.pacing.per_second)
        assert timedelta(seconds=retry["min_backoff"]) == queue.retry.min_backoff
        assert timedelta(seconds=retry["max_backoff"]) == queue.retry.max_backoff
        assert retry["max_doublings"] == queue.retry.max_doublings
        assert retry["max_attempts"] == queue.retry.max_attempts
        waits = [queue.retry.wait(failures).total_seconds() for failures in (1, 2, 3)]
        assert waits == [60, 120, 240]
    assert Settings().retry_seconds == (60, 120, 240)


def test_the_topics_and_subscriptions_are_those_of_the_code() -> None:
    named = {value for name, value in vars(shared.messages).items() if name.isupper()}
    assert named <= set(TABLE["topics"])
    rules = TABLE["subscription_rules"]
    assert TABLE["subscriptions"].keys() == {subscription.name for subscription in SUBSCRIPTIONS}
    for subscription in SUBSCRIPTIONS:
        assert TABLE["subscriptions"][subscription.name] == {
            "topic": subscription.topic,
            "function": subscription.function,
            "dead_letter_topic": subscription.dead_letter_topic,
        }
        assert rules["ack_deadline"] == subscription.deadline.total_seconds()
        assert rules["min_backoff"] == subscription.min_backoff.total_seconds()
        assert rules["max_backoff"] == subscription.max_backoff.total_seconds()
        assert rules["max_delivery_attempts"] == subscription.max_delivery_attempts
    assert set(TABLE["topics"]) == {s["topic"] for s in TABLE["subscriptions"].values()}


def test_the_schedules_are_those_of_the_code_and_of_the_night() -> None:
    crons = {s["function"]: s["cron"] for s in TABLE["schedules"].values()}
    for schedule in SCHEDULES:
        given = TABLE["schedules"][schedule.name]
        assert given["function"] == schedule.function
        # The sweep is due every minute on one machine, where asking costs nothing.
        assert given["cron"] == schedule.cron or schedule.function == "sweep_jobs"
    assert crons == {
        "run_pipeline": "0 2 * * *",
        "refresh_stale_repositories": "15 * * * *",
        "recalculate_global_leaderboard": "*/30 * * * *",
        "recalculate_everything": "0 4 * * 0",
        "batch_enrich_top_contributors": "30 3 * * *",
        "apply_retention": "0 5 1 * *",
        "report_budget": "10 0 * * *",
        "sweep_jobs": "*/5 * * * *",
        "send_weekly_report": "0 6 * * 1",
    }
    assert TABLE["schedule_rules"]["time_zone"] == "Etc/UTC"


# --- times ----------------------------------------------------------------------------------------


def misfits(table: dict[str, Any]) -> list[str]:
    """Where one limit ends what another still allows."""
    lease = timedelta(seconds=Settings().lease_seconds)
    attempt = timedelta(seconds=table["schedule_rules"]["attempt_deadline"])
    ack = timedelta(seconds=table["subscription_rules"]["ack_deadline"])
    found = []
    for name, function in table["functions"].items():
        timeout = timedelta(seconds=function["timeout"])
        checks: dict[str, bool] = {
            "runs longer than the platform lets it": timeout
            <= (AN_HOUR if function["trigger"] == "http" else FEW_MINUTES),
            "is called once more while it runs": timeout
            < {"task": CALL_DEADLINE, "event": ack, "schedule": attempt}.get(
                function["trigger"], timedelta.max
            ),
        }
        if function["trigger"] == "task":
            checks["is ended within a step"] = timeout > STEP
            checks["works on after its lease"] = timeout < lease
        if function["trigger"] == "schedule":
            # Between runs of one schedule lie five minutes at least.
            checks["meets its next run"] = timeout < timedelta(minutes=5)
        found += [f"{name} {problem}" for problem, fine in checks.items() if not fine]
    if not lease < CALL_DEADLINE:
        found.append("a task is delivered again before its lease is over")
    if not ack <= timedelta(minutes=10):
        found.append("Pub/Sub acknowledges within ten minutes")
    if not timedelta(minutes=30) >= CALL_DEADLINE:
        found.append("Cloud Tasks dispatches for half an hour at most")
    return found


def test_deadlines_timeouts_leases_and_steps_fit_each_other() -> None:
    assert misfits(TABLE) == []
    assert timedelta(seconds=Settings().lease_seconds) > STEP


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t["functions"]["scrape_repository"].update(timeout=300),
        lambda t: t["functions"]["scrape_repository"].update(timeout=330),
        lambda t: t["functions"]["recalculate_leaderboards"].update(timeout=600),
        lambda t: t["functions"]["sweep_jobs"].update(timeout=200),
        lambda t: t["schedule_rules"].update(attempt_deadline=60),
        lambda t: t["subscription_rules"].update(ack_deadline=30),
        lambda t: t["subscription_rules"].update(ack_deadline=700),
    ],
)
def test_times_that_do_not_fit_are_noticed(change: Callable[[dict[str, Any]], None]) -> None:
    table = copy.deepcopy(TABLE)
    change(table)
    assert misfits(table)


def test_there_is_an_instance_for_every_task_that_may_run() -> None:
    """What finds none is refused, and a refusal counts as an attempt."""
    at_once = sum(queue["max_concurrent"] for queue in TABLE["queues"].values())
    for name, function in TABLE["functions"].items():
        if function["trigger"] == "task":
            assert function["max_instances"] * function["concurrency"] >= at_once, name
        assert function["concurrency"] == 1 or float(function["cpu"]) >= 1


# --- documents ------------------------------------------------------------------------------------

FROM_CALLERS: dict[str, tuple[str, ...]] = {
    "shared/audit.py trail": (
        "actor_id",
        "resource_type",
        "resource_id",
        "action",
        "category",
        "severity",
    ),
    "shared/jobs.py listed": ("state", "type", "repository_key"),
    "shared/people.py everything": (
        "event",
        "job",
        "new_value.account",
        "new_value.person",
        "old_value.account",
        "old_value.person",
        "resource_id",
    ),
}
"""Queries whose conditions come from their callers, and the fields these name."""


def lacking_indexes(indexes: list[dict[str, Any]]) -> list[str]:
    """Queries that production would refuse. Several conditions of equality are merged by Firestore
    from one index each, if these end in the same order."""
    there = {
        (index["collection"], *(tuple(field) for field in index["fields"])) for index in indexes
    }
    found = []
    for query in queries():
        equal = FROM_CALLERS[query.where] if query.equal is None else query.equal
        if query.order is None:
            continue  # by id: single fields do
        for field in equal:
            direction = "DESCENDING" if query.descending else "ASCENDING"
            index = (query.collection, (field, "ASCENDING"), (query.order, direction))
            if field != query.order and index not in there:
                found.append(f"{query.where}: {index}")
    return found


def test_every_query_has_its_index_and_every_index_a_query() -> None:
    assert lacking_indexes(TABLE["indexes"]) == []
    for left_out in range(len(TABLE["indexes"])):
        rest = [index for n, index in enumerate(TABLE["indexes"]) if n != left_out]
        assert lacking_indexes(rest), TABLE["indexes"][left_out]


def test_conditions_from_callers_are_all_listed() -> None:
    for path in ("functions/api/jobs.py", "infra/cli/checks.py"):
        text = (ROOT / path).read_text(encoding="utf-8")
        named = set(re.findall(r"where\[\"(\w+)\"\]|where = \{\"(\w+)\"", text))
        fields = {field for pair in named for field in pair if field}
        assert fields <= set(FROM_CALLERS["shared/jobs.py listed"]), path
    assert {query.where for query in queries() if query.equal is None} == FROM_CALLERS.keys()


def test_no_collection_indexes_its_bodies() -> None:
    assert set(TABLE["collections"]) == collections()
    exempt = TERRAFORM.resources["google_firestore_field", "body"]
    assert exempt.attributes["for_each"] == "${toset(local.deployment.collections)}"
    assert exempt.attributes["field"] == "body"
    assert exempt.only("index_config").blocks == []


def test_no_ttl_policy_pretends_to_delete_anything() -> None:
    """Times are text in documents, and a TTL policy on text deletes nothing."""
    fields = TERRAFORM.of("google_firestore_field").values()
    assert not [1 for block in fields for name, _ in block.blocks if name == "ttl_config"]


# --- what is watched ------------------------------------------------------------------------------


def test_metrics_count_what_the_code_logs() -> None:
    counted = {metric["event"] for metric in TERRAFORM.locals["counted"].values()}
    latency = TERRAFORM.resources["google_logging_metric", "latency"].attributes
    events = counted | set(re.findall(r'jsonPayload\.event=\W*"(\w+)', str(latency["filter"])))
    assert "request_answered" in events
    assert events <= texts("shared", "functions")
    fields = set(re.findall(r"jsonPayload\.(\w+)", TERRAFORM.text())) - {"event"}
    for field in fields:
        pattern = re.compile(rf"\b{field}=")
        assert any(
            pattern.search(path.read_text(encoding="utf-8"))
            for folder in ("shared", "functions")
            for path in Path(ROOT / folder).rglob("*.py")
        ), field


def test_every_alert_that_was_asked_for_is_there() -> None:
    assert TERRAFORM.of("google_monitoring_alert_policy").keys() == {
        "count", "latency", "errors", "queue_depth",
    }  # fmt: skip
    alerts = TERRAFORM.locals["count_alerts"]
    assert alerts.keys() >= {"scrape_failures", "dead_letters", "budget_warnings"}
    assert alerts.keys() <= TERRAFORM.locals["counted"].keys()
