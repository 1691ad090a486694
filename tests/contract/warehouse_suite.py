"""What every warehouse does. An implementation is named in ``test_warehouse.py``.

The suite gets a ``warehouse`` fixture, empty when a test begins.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pyarrow as pa
import pytest

from shared.errors import BudgetRefused, Rejected
from shared.models import published_windows
from shared.ports import Allowance, Json, Parameter, Warehouse
from shared.scoring import DEFAULT_RULES
from shared.statements import windows_parameter
from shared.tables import COLUMNS, EVENTS, Dataset
from tests.support.warehouse_rows import ALONE, EVERY_STATEMENT, NOW, event, push, table

ENOUGH = 1 << 40
GENEROUS = Allowance("generous", ENOUGH)


def names(warehouse: Warehouse, dataset: Dataset = Dataset.EVENTS) -> list[str]:
    return [unit.name for unit in warehouse.units(dataset)]


def put(warehouse: Warehouse, unit: str, *events: dict[str, object]) -> None:
    warehouse.replace(Dataset.EVENTS, unit, table(EVENTS, events).to_batches(), {"n": len(events)})


def latest(warehouse: Warehouse, *repo_ids: int) -> list[str]:
    found = warehouse.query("latest_repository_names", {"repo_ids": list(repo_ids)})
    return [str(name) for name in found["repo_name"].to_pylist()]


class WarehouseSuite:
    # --- units ------------------------------------------------------------------------------

    def test_an_empty_warehouse_has_no_units_and_every_statement_runs(
        self, warehouse: Warehouse
    ) -> None:
        for dataset in Dataset:
            assert warehouse.units(dataset) == ()
            assert warehouse.unit(dataset, "none") is None
        for name, parameters in EVERY_STATEMENT.items():
            assert warehouse.query(name, parameters).num_rows == 0, name

    def test_a_unit_is_what_was_put_and_what_its_writer_noted(self, warehouse: Warehouse) -> None:
        about: dict[str, Json] = {
            "claims": ["2025-01-01"],
            "deep": {"list": [[1], None]},
            "text": "é",
        }
        rows = table(EVENTS, [push(1), push(2)])
        written = warehouse.replace(Dataset.EVENTS, "a", rows.to_batches(), about)
        assert (written.dataset, written.name, written.rows) == (Dataset.EVENTS, "a", 2)
        assert written.about == about
        assert warehouse.unit(Dataset.EVENTS, "a") == written
        assert warehouse.units(Dataset.EVENTS) == (written,)

    def test_every_value_comes_back_as_it_was_put(self, warehouse: Warehouse) -> None:
        standings = {
            "window_name": "30d", "repo_id": 2**62, "contributor_id": -1, "login": 'é"\\\n🎈',
            "login_seen_at": NOW.replace(microsecond=123456), "account_type": None,
            "first_at": datetime(1970, 1, 1, tzinfo=UTC), "last_at": NOW, "commit": 0,
            "score": -(2**62),
        }  # fmt: skip
        given = table(COLUMNS[Dataset.STANDINGS], [standings])
        warehouse.replace(Dataset.STANDINGS, "a", given.to_batches(), {})
        found = warehouse.query("list_standings", {"repo_ids": [2**62], "window": "30d"})
        assert found.cast(given.schema).to_pylist() == given.to_pylist()

    def test_replacing_takes_the_place_of_all_that_was_there(self, warehouse: Warehouse) -> None:
        put(warehouse, "a", push(1), push(2))
        put(warehouse, "b", push(3))
        first = warehouse.unit(Dataset.EVENTS, "a")
        put(warehouse, "a", push(4))
        assert latest(warehouse, 1, 2, 3, 4) == ["o/r3", "o/r4"]
        assert names(warehouse) == ["a", "b"]
        second = warehouse.unit(Dataset.EVENTS, "a")
        assert first is not None
        assert second is not None
        assert (second.rows, second.digest != first.digest) == (1, True)

    def test_a_unit_may_be_empty(self, warehouse: Warehouse) -> None:
        put(warehouse, "a", push(1))
        warehouse.replace(Dataset.EVENTS, "a", [], {})
        unit = warehouse.unit(Dataset.EVENTS, "a")
        assert unit is not None
        assert unit.rows == 0
        assert latest(warehouse, 1) == []

    def test_removing_forgets_a_unit_and_is_quiet_where_there_is_none(
        self, warehouse: Warehouse
    ) -> None:
        put(warehouse, "a", push(1))
        put(warehouse, "b", push(2))
        for _ in range(2):
            warehouse.remove(Dataset.EVENTS, "a")
        warehouse.remove(Dataset.STANDINGS, "b")
        assert names(warehouse) == ["b"]
        assert latest(warehouse, 1, 2) == ["o/r2"]

    def test_datasets_do_not_share_names_and_units_come_by_name(self, warehouse: Warehouse) -> None:
        for dataset in Dataset:
            for name in ("b", "a.1", "Ä b/c"):
                warehouse.replace(dataset, name, [], {"of": dataset.value})
        for dataset in Dataset:
            found = warehouse.units(dataset)
            assert [unit.name for unit in found] == ["a.1", "b", "Ä b/c"]
            assert all(unit.about == {"of": dataset.value} for unit in found)

    def test_a_writer_that_fails_changes_nothing(self, warehouse: Warehouse) -> None:
        put(warehouse, "a", push(1))

        def breaking() -> Iterator[pa.RecordBatch]:
            yield from table(EVENTS, [push(2)]).to_batches()
            raise OSError("the source broke")

        with pytest.raises(OSError, match="broke"):
            warehouse.replace(Dataset.EVENTS, "a", breaking(), {})
        assert latest(warehouse, 1, 2) == ["o/r1"]

    def test_readers_see_a_unit_whole_while_it_is_replaced(self, warehouse: Warehouse) -> None:
        sizes = (3, 5)
        put(warehouse, "a", *(push(1, number=n) for n in range(sizes[0])))
        failed: list[BaseException] = []

        def write() -> None:
            try:
                for round_ in range(6):
                    rows = [push(1, number=n) for n in range(sizes[round_ % 2])]
                    put(warehouse, "a", *rows)
            except BaseException as error:  # noqa: BLE001 - shown by the test
                failed.append(error)

        writer = threading.Thread(target=write)
        writer.start()
        seen = set()
        while writer.is_alive():
            found = warehouse.query("most_active_repositories", {"top": 5}).to_pylist()
            seen.add(tuple((row["repo_id"], row["events"]) for row in found))
        writer.join()
        assert not failed
        assert seen <= {((1, size),) for size in sizes}

    def test_writers_of_different_units_do_not_undo_each_other(self, warehouse: Warehouse) -> None:
        failed: list[BaseException] = []

        def write(own: str) -> None:
            try:
                for number in range(3):
                    put(warehouse, f"{own}{number}", push(1, number=number))
                    warehouse.remove(Dataset.EVENTS, f"{own}{number - 1}")
            except BaseException as error:  # noqa: BLE001 - shown by the test
                failed.append(error)

        writers = [threading.Thread(target=write, args=(own,)) for own in "abc"]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert not failed
        assert names(warehouse) == ["a2", "b2", "c2"]

    # --- derived units ----------------------------------------------------------------------

    def test_derived_rows_take_the_place_of_a_unit(self, warehouse: Warehouse) -> None:
        put(warehouse, "a", push(1), push(1, number=2), push(2))
        for repo_ids, rows in (([1, 2], 3), ([1], 2), ([], 0)):
            unit = warehouse.derive(
                "credit_contributions", {"repo_ids": repo_ids, **ALONE},
                Dataset.CONTRIBUTIONS, "all", {"of": len(repo_ids)},
            )  # fmt: skip
            assert (unit.rows, unit.about) == (rows, {"of": len(repo_ids)})
            assert warehouse.units(Dataset.CONTRIBUTIONS) == (unit,)
            assert self.contributions(warehouse, [1, 2]) == rows

    def test_what_is_derived_from_what_was_derived(self, warehouse: Warehouse) -> None:
        put(warehouse, "a", push(1), push(1, number=2))
        warehouse.derive(
            "credit_contributions", {"repo_ids": [1], **ALONE}, Dataset.CONTRIBUTIONS, "1", {}
        )
        unit = warehouse.derive(
            "count_standings", self.counting([1]), Dataset.STANDINGS, "1", {"rules": "r"}
        )
        assert unit.rows == len(published_windows(NOW))
        found = warehouse.query("list_standings", {"repo_ids": [1], "window": "all"}).to_pylist()
        assert [(row["commit"], row["score"], row["login"]) for row in found] == [
            (2, 20_000, "mira")
        ]
        assert warehouse.unit(Dataset.STANDINGS, "1") == unit

    def test_units_become_one_by_what_is_derived_from_themselves(
        self, warehouse: Warehouse
    ) -> None:
        def told(unit: str, action: str, observed_at: datetime) -> None:
            row = event(1, action=action, observed_at=observed_at)
            rows = table(COLUMNS[Dataset.GITHUB_EVENTS], [row, {**row, "repo_id": 2}])
            warehouse.replace(Dataset.GITHUB_EVENTS, unit, rows.to_batches(), {})

        told("1-0", "opened", NOW)
        told("1-1", "merged", NOW + timedelta(hours=1))
        for _ in range(2):
            unit = warehouse.derive(
                "compact_github_events",
                {"repo_ids": [1], "reread": "[]"},
                Dataset.GITHUB_EVENTS,
                "1-0",
                {},
            )
            assert unit.rows == 1
        warehouse.remove(Dataset.GITHUB_EVENTS, "1-1")
        found = warehouse.query(
            "compact_github_events", {"repo_ids": [1, 2], "reread": "[]"}
        ).to_pylist()
        assert [(row["repo_id"], row["action"]) for row in found] == [(1, "merged")]
        assert names(warehouse, Dataset.GITHUB_EVENTS) == ["1-0"]

    def test_the_digest_of_a_derived_unit_changes_with_its_content(
        self, warehouse: Warehouse
    ) -> None:
        digests = []
        for count in (1, 1, 2):
            put(warehouse, "a", *(push(1, number=n) for n in range(count)))
            unit = warehouse.derive(
                "credit_contributions", {"repo_ids": [1], **ALONE}, Dataset.CONTRIBUTIONS, "1", {}
            )
            again = warehouse.derive(
                "credit_contributions", {"repo_ids": [1], **ALONE}, Dataset.CONTRIBUTIONS, "1", {}
            )
            assert unit.digest == again.digest
            digests.append(unit.digest)
        assert digests[1] != digests[2]

    # --- parameters -------------------------------------------------------------------------

    @pytest.mark.parametrize("repo_ids", [[], [1], (1, 3), list(range(3000))])
    def test_repositories_are_a_list_of_any_length(
        self, warehouse: Warehouse, repo_ids: Sequence[int]
    ) -> None:
        put(warehouse, "a", push(1), push(2))
        wanted = [f"o/r{n}" for n in (1, 2) if n in repo_ids]
        assert latest(warehouse, *repo_ids) == wanted

    @pytest.mark.parametrize("text", ["O/R1", "'", '"; DROP TABLE events; --', "é\n\\", "@x", ""])
    def test_text_is_only_ever_text(self, warehouse: Warehouse, text: str) -> None:
        put(warehouse, "a", event(1, repo_name=text))
        found = warehouse.query("find_repositories", {"names": [text.lower(), "other"]})
        assert found.select(["name", "repo_id"]).to_pylist() == [
            {"name": text.lower(), "repo_id": 1}
        ]
        assert warehouse.query("find_repositories", {"names": []}).num_rows == 0

    def test_times_numbers_and_null(self, warehouse: Warehouse) -> None:
        put(warehouse, "a", push(1))
        warehouse.derive(
            "credit_contributions", {"repo_ids": [1], **ALONE}, Dataset.CONTRIBUTIONS, "1", {}
        )
        moment = timedelta(microseconds=1)
        east = NOW.astimezone(None)
        for start, end, rows in (
            (NOW, NOW + moment, 1),
            (east, east + moment, 1),
            (NOW + moment, NOW + 2 * moment, 0),
            (NOW - moment, NOW, 0),
            (None, NOW + moment, 0),  # nothing is after null
        ):
            found = warehouse.query(
                "tally_board", {"repo_ids": [1], "start_at": start, "end_at": end}
            )
            assert found.num_rows == rows
        assert warehouse.query("most_active_repositories", {"top": 0}).num_rows == 0

    # --- forgetting -------------------------------------------------------------------------

    def test_what_somebody_did_is_forgotten_and_others_lose_no_event(
        self, warehouse: Warehouse
    ) -> None:
        merge = {"event_type": "PullRequestEvent", "action": "closed", "merged": True}
        events = [
            event(1, event_id="own", author_id=8, author_login="leo"),
            event(1, event_id="of another", actor_id=8, actor_login="leo"),
            event(1, event_id="on theirs", actor_id=8, actor_login="leo", author_id=7,
                  author_login="mira", author_type="User"),
            event(1, event_id="merged another's", author_id=8, author_login="leo", **merge),
            event(1, event_id="merged own", author_id=7, author_login="mira", **merge),
            event(1, event_id="opened", event_type="IssuesEvent", action="opened", actor_id=8,
                  author_id=7),
        ]  # fmt: skip
        put(warehouse, "a", *events)
        put(warehouse, "b", event(2, actor_id=8, actor_login="leo"))
        before = {unit.name: unit for unit in warehouse.units(Dataset.EVENTS)}
        assert warehouse.forget(Dataset.EVENTS, {7, 9}) == 5
        left = warehouse.query(
            "list_personal_events", {"account_ids": [8], "top": 50, "skipped": 0}
        ).to_pylist()
        people = {
            row["event_id"]: (row["actor_id"], row["actor_login"], row["author_id"])
            for row in left
            if row["repo_id"] == 1
        }
        assert people == {
            "of another": (8, "leo", None),
            "on theirs": (8, "leo", None),
            "merged another's": (None, None, 8),
        }
        assert "mira" not in str(left)
        after = {unit.name: unit for unit in warehouse.units(Dataset.EVENTS)}
        assert after["b"] == before["b"]
        assert after["a"].rows == 3
        assert after["a"].about == before["a"].about
        assert after["a"].digest != before["a"].digest
        assert warehouse.forget(Dataset.EVENTS, {7, 9}) == 0
        assert warehouse.units(Dataset.EVENTS) == tuple(after[name] for name in ("a", "b"))

    def test_people_are_forgotten_in_lists_contributions_and_standings(
        self, warehouse: Warehouse
    ) -> None:
        columns = COLUMNS[Dataset.GITHUB_EVENTS]
        both = '[{"id":8,"login":"leo"},{"id":7,"login":"mira"},{"id":null,"mail":"x"}]'
        rows = [
            event(1, event_id="c", event_type="Commit", actor_id=8, co_authors=both),
            event(1, event_id="p", event_type="PullRequestEvent", actor_id=8, assignees=both),
            event(1, event_id="other", actor_id=8, co_authors="[]"),
        ]
        warehouse.replace(Dataset.GITHUB_EVENTS, "a", table(columns, rows).to_batches(), {})
        credited = [
            {"repo_id": 1, "kind": "PR_MERGED", "contributor_id": 8, "actor_id": 7,
             "actor_login": "mira"},
            {"repo_id": 1, "kind": "COMMIT", "contributor_id": 7, "actor_id": 7},
        ]  # fmt: skip
        kept = table(COLUMNS[Dataset.CONTRIBUTIONS], credited)
        warehouse.replace(Dataset.CONTRIBUTIONS, "a", kept.to_batches(), {})
        ranked = [{"window_name": "all", "repo_id": 1, "contributor_id": id_} for id_ in (7, 8)]
        standings = table(COLUMNS[Dataset.STANDINGS], ranked)
        warehouse.replace(Dataset.STANDINGS, "a", standings.to_batches(), {})
        wanted = (Dataset.GITHUB_EVENTS, Dataset.CONTRIBUTIONS, Dataset.STANDINGS)
        assert [warehouse.forget(dataset, {7}) for dataset in wanted] == [2, 2, 1]
        assert warehouse.query("find_people", {"account_ids": [7]}).num_rows == 0
        assert warehouse.query("find_people", {"account_ids": [8]}).num_rows == 1
        (merged,) = warehouse.query(
            "list_personal_contributions", {"account_ids": [7, 8], "top": 9, "skipped": 0}
        ).to_pylist()
        assert (merged["contributor_id"], merged["actor_id"], merged["actor_login"]) == (
            8, None, None,
        )  # fmt: skip
        (standing,) = warehouse.query(
            "list_standings", {"repo_ids": [1], "window": "all"}
        ).to_pylist()
        assert standing["contributor_id"] == 8
        assert [warehouse.forget(dataset, {7}) for dataset in wanted] == [0, 0, 0]

    def test_what_holds_nobody_cannot_forget_anybody(self, warehouse: Warehouse) -> None:
        with pytest.raises(Rejected, match="holds nobody"):
            warehouse.forget(Dataset.COSTS, {7})

    def test_forgetting_more_than_it_may_cost_is_refused_and_changes_nothing(
        self, warehouse: Warehouse
    ) -> None:
        put(warehouse, "a", push(1))
        price = warehouse.forgetting_bytes(Dataset.EVENTS)
        if price:
            with pytest.raises(BudgetRefused):
                warehouse.forget(Dataset.EVENTS, {7}, allowance=Allowance("f", price - 1))
        assert names(warehouse) == ["a"]
        assert latest(warehouse, 1) == ["o/r1"]
        assert warehouse.forget(Dataset.EVENTS, {7}, allowance=Allowance("g", price)) == 1
        assert latest(warehouse, 1) == []
        used = warehouse.usage("g")
        assert price == 0 or (used is not None and 0 < used.bytes_billed <= price)

    # --- what it costs ----------------------------------------------------------------------

    def test_a_run_that_reads_more_than_it_may_is_refused_and_changes_nothing(
        self, warehouse: Warehouse
    ) -> None:
        put(warehouse, "a", push(1))
        parameters: dict[str, Parameter] = {"repo_ids": [1], **ALONE}
        with pytest.raises(BudgetRefused):
            warehouse.query(
                "latest_repository_names", {"repo_ids": [1]}, allowance=Allowance("q", 1)
            )
        with pytest.raises(BudgetRefused):
            warehouse.derive(
                "credit_contributions", parameters, Dataset.CONTRIBUTIONS, "1", {},
                allowance=Allowance("d", 1),
            )  # fmt: skip
        assert names(warehouse, Dataset.CONTRIBUTIONS) == []

    def test_the_estimate_is_enough(self, warehouse: Warehouse) -> None:
        put(warehouse, "a", *(push(1, number=n) for n in range(50)))
        parameters: dict[str, Parameter] = {"repo_ids": [1], **ALONE}
        estimate = warehouse.estimate("credit_contributions", parameters)
        assert estimate > 0
        warehouse.derive(
            "credit_contributions", parameters, Dataset.CONTRIBUTIONS, "1", {},
            allowance=Allowance("exact", estimate),
        )  # fmt: skip
        usage = warehouse.usage("exact")
        assert usage is not None
        assert usage.bytes_billed <= estimate
        with pytest.raises(BudgetRefused):
            warehouse.query(
                "latest_repository_names", parameters,
                allowance=Allowance("less", warehouse.estimate("latest_repository_names",
                                                               parameters) - 1),
            )  # fmt: skip

    def test_the_usage_of_a_run_is_known_by_its_allowance(self, warehouse: Warehouse) -> None:
        put(warehouse, "a", push(1), push(2))
        assert warehouse.usage("mine") is None
        before = datetime.now(UTC) - timedelta(seconds=5)
        warehouse.query(
            "latest_repository_names", {"repo_ids": [1, 2]},
            allowance=Allowance("mine", ENOUGH, job="019a0b1c2d3e4f5a6b7c8d9"),
        )  # fmt: skip
        usage = warehouse.usage("mine")
        assert usage is not None
        assert (usage.id, usage.statement, usage.rows) == ("mine", "latest_repository_names", 2)
        assert (usage.job, usage.done) == ("019a0b1c2d3e4f5a6b7c8d9", True)
        assert usage.bytes_processed > 0
        assert usage.duration_ms >= 0
        assert before <= usage.started_at <= datetime.now(UTC)

    def test_a_second_run_under_an_id_is_of_the_same_unit_and_booked_once(
        self, warehouse: Warehouse
    ) -> None:
        put(warehouse, "a", push(1), push(1, number=2))
        units = [
            warehouse.derive(
                "credit_contributions", {"repo_ids": [1], **ALONE}, Dataset.CONTRIBUTIONS, "1", {},
                allowance=GENEROUS,
            )
            for _ in range(2)
        ]  # fmt: skip
        assert units[0] == units[1]
        assert self.contributions(warehouse, [1]) == 2
        booked = warehouse.ledger(datetime.now(UTC) - timedelta(hours=1), 100)
        assert [usage.id for usage in booked].count("generous") == 1

    def test_the_ledger_has_the_newest_first_and_no_more_than_was_asked(
        self, warehouse: Warehouse
    ) -> None:
        since = datetime.now(UTC) - timedelta(hours=1)
        for number, name in enumerate(("latest_repository_names", "list_accounts")):
            warehouse.query(name, {"repo_ids": [1]}, allowance=Allowance(f"r{number}", ENOUGH))
        warehouse.query("latest_repository_names", {"repo_ids": [1]})
        own = [u for u in warehouse.ledger(since, 100) if u.statement in EVERY_STATEMENT]
        assert [usage.id for usage in own] == [None, "r1", "r0"]
        assert own[1].statement == "list_accounts"
        assert all(later.started_at >= u.started_at for later, u in pairwise(own))
        assert len(warehouse.ledger(since, 1)) == 1
        assert warehouse.ledger(datetime.now(UTC) + timedelta(hours=1), 100) == ()

    # --- parts ------------------------------------------------------------------------------

    @staticmethod
    def contributions(warehouse: Warehouse, repo_ids: Sequence[int]) -> int:
        span: dict[str, Parameter] = {
            "repo_ids": repo_ids,
            "contributor_id": 7,
            "start_at": NOW - timedelta(days=900),
            "end_at": NOW + timedelta(days=900),
            "per_kind": 1000,
        }
        return int(warehouse.query("list_contributor_events", span).num_rows)

    @staticmethod
    def counting(repo_ids: Sequence[int]) -> dict[str, Parameter]:
        return {
            "repo_ids": repo_ids,
            "windows": windows_parameter(published_windows(NOW + timedelta(hours=1))),
            "rule_set": DEFAULT_RULES.parameter,
        }
