"""What the SQL harness promises: Google's verdict on a statement, and its results over rows."""

import multiprocessing
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import googlesql
from tests.support.googlesql import AnalysisFailed, ExecutionFailed, Parameter, Table

pytestmark = pytest.mark.skipif(
    not googlesql.AVAILABLE, reason="the package zetasql is not installed"
)

EVENTS = "githubarchive.day.20240101"
EVENT_COLUMNS = {
    "id": "INT64",
    "type": "STRING",
    "actor": "STRUCT<id INT64, login STRING>",
    "payload": "STRING",
    "created_at": "TIMESTAMP",
    "public": "BOOL",
}


def event(number: int, login: str, kind: str = "PushEvent", **more: object) -> dict[str, object]:
    return {
        "id": number,
        "type": kind,
        "actor": {"id": len(login), "login": login},
        "created_at": datetime(2024, 1, 1, number, tzinfo=UTC),
        "public": True,
        **more,
    }


PUSH = '{"commits": [{"sha": "a1"}, {"sha": "b2"}], "size": 2}'
ROWS = [
    event(1, "ann", payload=PUSH),
    event(2, "bob", "WatchEvent", payload='{"action": "started"}'),
    event(3, "ann", "WatchEvent", payload="{broken"),
    event(4, "cleo", payload=None),
]
ARCHIVE = {EVENTS: Table(EVENT_COLUMNS, ROWS)}
FROM = f"FROM `{EVENTS}` AS e"


# analyze


def test_analysis_names_the_columns_and_their_types() -> None:
    columns = googlesql.analyze(
        f"SELECT id, actor.login, COUNT(*) OVER () AS n, [actor] AS actors, public, 1 + id {FROM}",
        {EVENTS: EVENT_COLUMNS},
    )
    assert columns == [
        ("id", "INT64"),
        ("login", "STRING"),
        ("n", "INT64"),
        ("actors", "ARRAY<STRUCT<id INT64, login STRING>>"),
        ("public", "BOOL"),
        ("f0_", "INT64"),
    ]


def test_parameters_have_the_declared_types() -> None:
    sql = "SELECT @ids AS ids, @since AS since, @login AS login, @flag AS flag, @day AS day"
    types = {
        "ids": "ARRAY<INT64>",
        "since": "TIMESTAMP",
        "login": "STRING",
        "flag": "BOOL",
        "day": "DATE",
    }
    assert googlesql.analyze(sql, parameters=types) == list(types.items())


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (f"SELECT id {FROM} WHERE type = 1", "No matching signature for operator ="),
        (f"SELECT id {FROM} WHERE created_at > @number", "No matching signature for operator >"),
        (f"SELECT type, id, COUNT(*) AS n {FROM} GROUP BY type", "neither grouped nor aggregated"),
        (f"SELECT nothing {FROM}", "Unrecognized name: nothing"),
        (f"SELECT actor.email {FROM}", "Field name email does not exist"),
        (f"SELECT id {FROM} WHERE id = @undeclared", "Query parameter 'undeclared' not found"),
        ("SELECT id FROM elsewhere", "Table not found: elsewhere"),
        ("SELECT NO_SUCH_FUNCTION(1)", "Function not found: NO_SUCH_FUNCTION"),
        ("SELECT 1 AS a, 2 AS A", "Duplicate column names in the result: a"),
        (f"SELECT COUNT(*) FILTER (WHERE public) AS n {FROM}", "Syntax error"),
        (f"SELECT ARRAY_FILTER([1], x -> x > 1) AS n {FROM}", "ambda"),
        ("SELECT FROM", "Syntax error"),
    ],
)
def test_what_the_language_refuses_is_refused_with_the_reason(sql: str, message: str) -> None:
    with pytest.raises(AnalysisFailed, match=message):
        googlesql.analyze(sql, {EVENTS: EVENT_COLUMNS}, {"number": "INT64"})


def test_a_refusal_names_the_line() -> None:
    with pytest.raises(AnalysisFailed, match=r"Unrecognized name: x \[at 2:3\]"):
        googlesql.analyze("SELECT 1 AS a,\n  x")


@pytest.mark.parametrize(
    "sql",
    [
        """MERGE board AS b USING (SELECT 1 AS id, 'x' AS name) AS n ON b.id = n.id
           WHEN MATCHED THEN UPDATE SET name = n.name
           WHEN NOT MATCHED THEN INSERT (id, name) VALUES (n.id, n.name)""",
        "DELETE FROM board WHERE id = 1",
        """CREATE TABLE IF NOT EXISTS work (id INT64 NOT NULL, made TIMESTAMP)
           PARTITION BY DATE(made) CLUSTER BY id OPTIONS (partition_expiration_days = 3)""",
    ],
)
def test_a_statement_without_a_result_is_analysed_too(sql: str) -> None:
    assert googlesql.analyze(sql, {"board": {"id": "INT64", "name": "STRING"}}) == []


def test_a_type_error_within_a_merge_is_refused() -> None:
    sql = "MERGE board AS b USING (SELECT 'x' AS id) AS n ON b.id = n.id WHEN MATCHED THEN DELETE"
    with pytest.raises(AnalysisFailed, match="No matching signature for operator ="):
        googlesql.analyze(sql, {"board": {"id": "INT64"}})


def test_a_deeply_nested_expression_is_analysed() -> None:
    sql = f"SELECT {' || '.join(['name'] * 80)} AS long FROM board"
    assert googlesql.analyze(sql, {"board": {"name": "STRING"}}) == [("long", "STRING")]


def test_the_engine_recovers_from_a_statement_that_breaks_it() -> None:
    with pytest.raises(ExecutionFailed, match="broke down"):
        googlesql.analyze(f"SELECT {'ABS(' * 2_000}1{')' * 2_000}")
    assert googlesql.analyze("SELECT 1 AS one") == [("one", "INT64")]


def test_a_table_name_may_come_with_its_backticks() -> None:
    columns = googlesql.analyze(f"SELECT id {FROM}", {f"`{EVENTS}`": {"id": "INT64"}})
    assert columns == [("id", "INT64")]


# execute


def one(sql: str, parameters: Mapping[str, object] | None = None) -> object:
    """Return the only value of the only row."""
    ((value,),) = (row.values() for row in googlesql.execute(sql, ARCHIVE, parameters))
    return value


def column(sql: str, parameters: Mapping[str, object] | None = None) -> list[object]:
    return [value for row in googlesql.execute(sql, ARCHIVE, parameters) for value in row.values()]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("DIV(-7, 2)", -3),
        ("SAFE_CAST('seven' AS INT64)", None),
        ("SAFE_CAST('7' AS INT64)", 7),
        (
            "TO_HEX(SHA256('abc'))",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        ("IF(1 > 2, 'a', 'b')", "b"),
        ("JSON_VALUE('{broken', '$.a')", None),
        ("FORMAT('%05d', 42)", "00042"),
        ("EXTRACT(DAYOFWEEK FROM DATE '2024-01-07')", 1),
        ("SUBSTR('abc', 0)", "abc"),
        ("DATE_TRUNC(DATE '2024-01-17', ISOWEEK)", date(2024, 1, 15)),
        ("TIMESTAMP '2024-01-01 00:00:00+01'", datetime(2023, 12, 31, 23, tzinfo=UTC)),
        ("EXTRACT(HOUR FROM TIMESTAMP '2024-07-01' AT TIME ZONE 'Asia/Tokyo')", 9),
        ("CAST(TIMESTAMP '2024-01-01' AS STRING)", "2024-01-01 00:00:00+00"),
        ("NUMERIC '-0.0051'", Decimal("-0.0051")),
        ("7 / 2", 3.5),
        ("[1, 2]", [1, 2]),
        ("STRUCT(1 AS a, NULL AS b)", {"a": 1, "b": None}),
    ],
)
def test_expressions_have_googles_results(expression: str, expected: object) -> None:
    assert one(f"SELECT {expression}") == expected


def test_json_arrays_are_unnested() -> None:
    rows = googlesql.execute(
        f"""SELECT e.id, JSON_VALUE(c, '$.sha') AS sha
            {FROM}, UNNEST(JSON_QUERY_ARRAY(e.payload, '$.commits')) AS c WITH OFFSET AS place
            ORDER BY e.id, place DESC""",
        ARCHIVE,
    )
    assert rows == [{"id": 1, "sha": "b2"}, {"id": 1, "sha": "a1"}]


def test_qualify_keeps_the_first_of_each_group() -> None:
    sql = f"""SELECT id {FROM}
              QUALIFY ROW_NUMBER() OVER (PARTITION BY actor.login ORDER BY created_at DESC) = 1
              ORDER BY id"""
    assert column(sql) == [2, 3, 4]


def test_lead_looks_at_the_next_row() -> None:
    sql = f"SELECT LEAD(id) OVER (ORDER BY id) AS next_id {FROM} ORDER BY id"
    assert column(sql) == [2, 3, 4, None]


def test_string_agg_joins_in_order() -> None:
    assert one(
        f"SELECT STRING_AGG(DISTINCT actor.login, '+' ORDER BY actor.login DESC) {FROM}"
    ) == ("cleo+bob+ann")


def test_aggregates_count_conditionally() -> None:
    assert one(f"SELECT COUNTIF(type = 'WatchEvent') {FROM}") == 2


def test_timestamps_compare_to_the_microsecond() -> None:
    moment = datetime(2024, 1, 1, 2, tzinfo=UTC)
    sql = f"SELECT id {FROM} WHERE created_at > @since ORDER BY id"
    assert column(sql, {"since": moment}) == [3, 4]
    assert column(sql, {"since": moment - timedelta(microseconds=1)}) == [2, 3, 4]
    assert column(sql, {"since": moment.astimezone(timezone(timedelta(hours=5)))}) == [3, 4]


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        ("id IN UNNEST(@it)", [4, 1, 9], [1, 4]),
        ("id IN UNNEST(@it)", Parameter("ARRAY<INT64>", []), []),
        ("actor.login IN UNNEST(@it)", ["cleo", "it's"], [4]),
        ("public = @it", False, []),
        ("DATE(created_at) = @it", date(2024, 1, 1), [1, 2, 3, 4]),
        ("id > @it", Parameter("INT64", None), []),
        ("id > 3 AND '@it' != @it", "@it'", [4]),
    ],
)
def test_parameters_are_typed_values(condition: str, value: object, expected: list[int]) -> None:
    assert column(f"SELECT id {FROM} WHERE {condition} ORDER BY id", {"it": value}) == expected


def test_unpivot_drops_nulls_and_keeps_order() -> None:
    table = Table(
        {"login": "STRING", "pushes": "INT64", "stars": "INT64"},
        [{"login": "ann", "pushes": 3, "stars": 1}, {"login": "bob", "stars": 2}],
    )
    rows = googlesql.execute(
        "SELECT * FROM board UNPIVOT (n FOR kind IN (pushes, stars AS 'star')) ORDER BY n",
        {"board": table},
    )
    assert rows == [
        {"login": "ann", "n": 1, "kind": "star"},
        {"login": "bob", "n": 2, "kind": "star"},
        {"login": "ann", "n": 3, "kind": "pushes"},
    ]


def test_a_statement_brings_its_own_with() -> None:
    sql = f"""WITH starred AS (SELECT actor.login {FROM} WHERE type = 'WatchEvent'),
                   named AS (SELECT login FROM starred)
              SELECT login FROM named ORDER BY login"""
    assert column(sql) == ["ann", "bob"]


def test_wildcard_tables_have_their_suffix_outside_the_star() -> None:
    days = Table(
        {"id": "INT64", "_TABLE_SUFFIX": "STRING"},
        [{"id": 1, "_TABLE_SUFFIX": "01"}, {"id": 2, "_TABLE_SUFFIX": "02"}],
    )
    rows = googlesql.execute(
        "SELECT * FROM `a.day.202401*` WHERE _TABLE_SUFFIX >= '02'", {"a.day.202401*": days}
    )
    assert rows == [{"id": 2}]


def test_a_table_without_rows_yields_none() -> None:
    assert googlesql.execute("SELECT id FROM board", {"board": Table({"id": "INT64"})}) == []
    count = googlesql.execute("SELECT COUNT(*) AS n FROM board", {"board": Table({"id": "INT64"})})
    assert count == [{"n": 0}]


def test_a_missing_array_is_empty_as_in_storage() -> None:
    table = Table({"ids": "ARRAY<INT64>"}, [{}])
    rows = googlesql.execute("SELECT ids, ids IS NULL AS missing FROM board", {"board": table})
    assert rows == [{"ids": [], "missing": False}]


def test_a_null_within_a_returned_array_is_refused_as_bigquery_does() -> None:
    with pytest.raises(ExecutionFailed, match="NULL element"):
        googlesql.execute("SELECT ARRAY_AGG(x) AS xs FROM UNNEST([1, NULL]) AS x")
    assert one("SELECT ARRAY_AGG(x IGNORE NULLS) AS xs FROM UNNEST([1, NULL]) AS x") == [1]


def test_a_failure_over_rows_is_no_fault_of_the_statement() -> None:
    with pytest.raises(ExecutionFailed, match="division by zero"):
        googlesql.execute(f"SELECT 1 / (id - id) AS x {FROM}", ARCHIVE)
    with pytest.raises(AnalysisFailed, match="Unrecognized name"):
        googlesql.execute(f"SELECT nothing {FROM}", ARCHIVE)


def test_rows_must_fit_their_table() -> None:
    board = Table({"id": "INT64"}, [{"id": 1, "name": "x"}])
    with pytest.raises(ValueError, match="name"):
        googlesql.execute("SELECT 1", {"board": board})
    with pytest.raises(TypeError):
        googlesql.execute("SELECT 1", {"board": Table({"id": "INT64"}, [{"id": "one"}])})
    with pytest.raises(ValueError, match="time zone"):
        googlesql.execute("SELECT @at", parameters={"at": datetime(2024, 1, 1)})  # noqa: DTZ001
    with pytest.raises(TypeError, match="does not show"):
        googlesql.execute("SELECT @ids", parameters={"ids": []})


VALUES = st.fixed_dictionaries(
    {
        "number": st.none() | st.integers(-(2**63), 2**63 - 1),
        "text": st.none() | st.text(st.characters(exclude_categories=["Cs"])),
        "raw": st.none() | st.binary(),
        "flag": st.none() | st.booleans(),
        "day": st.none() | st.dates(),
        "at": st.none() | st.datetimes(timezones=st.just(UTC)),
        "amount": st.none() | st.decimals(-(10**20), 10**20, places=9),
        "ids": st.lists(st.integers(-9, 9)),
        "pair": st.none()
        | st.fixed_dictionaries({"a": st.none() | st.text("'\"\\\n`@", max_size=5)}),
    }
)
COLUMNS = {
    "number": "INT64",
    "text": "STRING",
    "raw": "BYTES",
    "flag": "BOOL",
    "day": "DATE",
    "at": "TIMESTAMP",
    "amount": "NUMERIC",
    "ids": "ARRAY<INT64>",
    "pair": "STRUCT<a STRING>",
}


@settings(max_examples=25, deadline=None)
@given(st.lists(VALUES, max_size=8))
def test_values_come_out_as_they_went_in(rows: list[dict[str, object]]) -> None:
    placed = [{"place": place, **row} for place, row in enumerate(rows)]
    table = Table({"place": "INT64", **COLUMNS}, placed)
    parameters = {name: Parameter(kind, rows[0][name]) for name, kind in COLUMNS.items() if rows}
    assert googlesql.execute("SELECT * FROM t ORDER BY place", {"t": table}) == placed
    echo = ", ".join(f"@{name} AS `{name}`" for name in parameters)
    assert not rows or googlesql.execute(f"SELECT {echo}", parameters=parameters) == rows[:1]


# the cache


def analyse_in_a_process(directory: Path) -> list[tuple[str, str]]:
    googlesql.CACHE_DIRECTORY = directory
    return googlesql.analyze("SELECT 1 AS one")


def test_processes_that_start_at_once_share_one_compiled_module(tmp_path: Path) -> None:
    googlesql.analyze("SELECT 1")  # the module is compiled by now
    for compiled in googlesql.CACHE_DIRECTORY.glob("*.cwasm"):
        (tmp_path / compiled.name).symlink_to(compiled)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        answers = pool.map(analyse_in_a_process, [tmp_path, tmp_path])
    assert answers == [[("one", "INT64")]] * 2
    assert len(list(tmp_path.glob("*.cwasm"))) == 1
