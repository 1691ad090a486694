"""How the parts may depend on one another, and that what they name exists."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from functions_framework import _function_registry

import shared.messages
from infra.local.events import SUBSCRIPTIONS
from infra.local.schedules import SCHEDULES
from infra.local.tasks import QUEUES
from shared.jobs import FUNCTIONS, Stage
from shared.ports import Queue

ROOT = Path(__file__).resolve().parent.parent

FRAMEWORKS_OWN = "google.cloud.functions"
"""functions-framework ships modules of its own beneath Google's name; they load nothing else."""


def sources(*folders: str) -> dict[str, ast.Module]:
    """The syntax trees of all modules in some folders, by path."""
    return {
        str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8"))
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


SHARED = sources("shared")

# --- layers -----------------------------------------------------------------------------------

FOREIGN = {
    "infra", "functions", "main", "tests", "google", "flask", "werkzeug", "functions_framework",
    "cloudevents", "duckdb", "sqlite3", "sqlglot", "requests", "httpx", "urllib", "subprocess",
    "opentelemetry", "sentry_sdk", "prometheus_client",
}  # fmt: skip

FORBIDDEN_CALLS = {
    "os.environ", "os.getenv", "datetime.now", "datetime.utcnow", "datetime.today", "date.today",
    "time.time", "time.time_ns", "time.monotonic", "time.sleep", "random.random", "uuid.uuid4",
}  # fmt: skip


@pytest.mark.parametrize("path", SHARED)
def test_shared_knows_no_cloud_no_web_framework_and_no_other_layer(path: str) -> None:
    found = {name.split(".")[0] for name in imported(SHARED[path])}
    assert not found & FOREIGN


@pytest.mark.parametrize("path", SHARED)
def test_shared_has_no_environment_no_clock_and_no_dice_of_its_own(path: str) -> None:
    used = {
        ast.unparse(node) for node in ast.walk(SHARED[path]) if isinstance(node, ast.Attribute)
    } | set(imported(SHARED[path]))
    assert not {
        name
        for name in used
        if any(name == call or name.endswith(f".{call}") for call in FORBIDDEN_CALLS)
    }


def test_the_infrastructure_knows_nothing_of_the_functions() -> None:
    for path, tree in sources("infra").items():
        assert not [name for name in imported(tree) if name.split(".")[0] == "functions"], path


def test_the_functions_reach_the_infrastructure_through_its_composition_only() -> None:
    for path, tree in sources("functions").items():
        used = {name for name in imported(tree) if name.startswith("infra.")}
        assert not {name for name in used if name.startswith(("infra.local", "infra.gcp"))}, path


# --- what is deployed -------------------------------------------------------------------------

_LOOK = """
import json, sys
import main
from infra import logs
from infra.telemetry import telemetry_of
from shared.settings import Settings
logs.configure(Settings())
telemetry_of(Settings())
from functions_framework import _function_registry as registry
names = {name: getattr(main, name).__name__ for name in main.__all__}
kinds = {name: registry.REGISTRY_MAP.get(name) for name in main.__all__}
print(json.dumps({"names": names, "kinds": kinds, "modules": sorted(sys.modules)}))
"""


@pytest.fixture(scope="module")
def loaded() -> dict[str, object]:
    """What a fresh process has loaded after importing main."""
    done = subprocess.run(
        [sys.executable, "-c", _LOOK], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_importing_main_loads_no_client_of_google_and_no_duckdb(loaded: dict[str, object]) -> None:
    modules = loaded["modules"]
    assert isinstance(modules, list)
    unwanted = {
        name
        for name in modules
        if name.split(".")[0] in {"google", "grpc", "duckdb", "zetasql"}
        and not name.startswith(FRAMEWORKS_OWN)
    }
    assert unwanted <= {"google", "google.cloud"}


def test_without_a_collector_or_sentry_none_of_their_libraries_is_loaded(
    loaded: dict[str, object],
) -> None:
    modules = loaded["modules"]
    assert isinstance(modules, list)
    unwanted = {"opentelemetry", "sentry_sdk", "prometheus_client"}
    assert not {name for name in modules if name.split(".")[0] in unwanted}


def exports() -> set[str]:
    """The names in main's ``__all__``, read without importing it."""
    tree = ast.parse((ROOT / "main.py").read_text(encoding="utf-8"))
    (listed,) = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    return set(ast.literal_eval(listed))


def test_every_export_of_main_is_a_function_of_the_framework_under_its_own_name(
    loaded: dict[str, object],
) -> None:
    names, kinds = loaded["names"], loaded["kinds"]
    assert isinstance(names, dict)
    assert isinstance(kinds, dict)
    assert names == {name: name for name in exports()}
    known = {
        _function_registry.HTTP_SIGNATURE_TYPE,
        _function_registry.CLOUDEVENT_SIGNATURE_TYPE,
    }
    assert set(kinds.values()) <= known


def test_main_only_re_exports() -> None:
    tree = ast.parse((ROOT / "main.py").read_text(encoding="utf-8"))
    docstring, *rest = tree.body
    assert isinstance(docstring, ast.Expr)
    assert all(isinstance(node, ast.ImportFrom | ast.Assign) for node in rest)
    imports = {
        alias.asname or alias.name
        for node in rest
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imports == exports()


def test_every_subscription_schedule_and_stage_calls_a_function_that_is_deployed() -> None:
    called = (
        *(subscription.function for subscription in SUBSCRIPTIONS),
        *(schedule.function for schedule in SCHEDULES),
        *FUNCTIONS.values(),
    )
    assert set(called) <= exports()
    assert FUNCTIONS.keys() == set(Stage)


def test_every_topic_that_is_published_has_a_subscription_with_dead_letters() -> None:
    topics = {value for name, value in vars(shared.messages).items() if name.isupper()}
    assert topics == {"repository-scraped", "leaderboard-changed"}
    by_topic = {subscription.topic: subscription for subscription in SUBSCRIPTIONS}
    for topic in topics:
        assert by_topic[topic].function == "recalculate_leaderboards"
        assert by_topic[topic].dead_letter_topic == "dead-letters"
    assert by_topic["dead-letters"].function == "record_dead_letter"
    assert by_topic["dead-letters"].dead_letter_topic is None
    assert by_topic.keys() == {*topics, "dead-letters"}


def test_the_schedules_are_those_that_are_deployed() -> None:
    assert {schedule.name: schedule.function for schedule in SCHEDULES} == {
        "sweep-jobs": "sweep_jobs",
        "refresh-stale-repositories": "refresh_stale_repositories",
        "recalculate-global-leaderboard": "recalculate_global_leaderboard",
        "report-budget": "report_budget",
        "run-pipeline": "run_pipeline",
        "recalculate-everything": "recalculate_everything",
        "enrich-top-contributors": "batch_enrich_top_contributors",
        "apply-retention": "apply_retention",
        "send-weekly-report": "send_weekly_report",
    }


def test_there_is_a_queue_for_every_priority() -> None:
    assert {queue.name for queue in QUEUES} == set(get_args(Queue))


# --- SQL is constant text ---------------------------------------------------------------------

BUILT: dict[tuple[str, str], str] = {
    ("infra/local/deliveries.py", "statement"): "one of the constants of _SCHEMA",
    ("infra/local/documents.py", "sql"): "document_sql.statement: placeholders and constants",
    (
        "infra/local/sqlite_file.py",
        "f'BEGIN IMMEDIATE; {schema} COMMIT;'",
    ): "the caller's constant schema, in one transaction",
    ("infra/local/warehouse.py", "duckdb_text(statement)"): "a file of shared/sql, translated",
    (
        "infra/local/warehouse.py",
        "f'CREATE OR REPLACE TEMP VIEW {table} AS FROM read_parquet([{listed}])'",
    ): "a view takes no parameters: the name of a dataset, and our own quoted file names",
}
"""Every place where SQL is not plainly a constant, and why it is none of a caller's text."""


def _is_constant(node: ast.expr, constants: dict[str, ast.expr]) -> bool:
    """True for text made of literals and of names in capitals that are bound to such text."""
    match node:
        case ast.Constant():
            return True
        case ast.Name(id=name):
            return name.isupper() and (
                name not in constants or _is_constant(constants[name], constants)
            )
        case ast.JoinedStr(values=values):
            return all(_is_constant(value, constants) for value in values)
        case ast.FormattedValue(value=value):
            return _is_constant(value, constants)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _is_constant(left, constants) and _is_constant(right, constants)
        case ast.IfExp(body=body, orelse=orelse):
            return _is_constant(body, constants) and _is_constant(orelse, constants)
    return False


def built_sql() -> set[tuple[str, str]]:
    """The places where something else than constant text is run as SQL."""
    found: set[tuple[str, str]] = set()
    for path, tree in sources("shared", "infra", "functions").items():
        constants = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            runs = node.func.attr in {"execute", "executemany", "executescript", "sql", "read_sql"}
            if runs and node.args and not _is_constant(node.args[0], constants):
                found.add((path, ast.unparse(node.args[0])))
    return found


def test_sql_is_constant_text_but_for_the_places_that_are_named_here() -> None:
    assert built_sql() == BUILT.keys()


def test_the_warehouse_runs_files_of_shared_sql_and_nothing_else() -> None:
    """Statements are asked for by name: no other module gives the warehouse any text."""
    for path, tree in sources("shared", "functions").items():
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str):
                assert not text.lstrip().startswith(("SELECT ", "WITH ", "INSERT ")) or (
                    path == "shared/extraction.py"
                ), path
