"""Wrong input on the command line: one sentence with the field and the remedy, no traceback."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from infra.cli.app import COMMAND
from tests.support.command_line import ENGINE_NAME, command, filled_once, refusal, write_archive


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled_once(tmp_path_factory)


UNKNOWN = "nobody/nothing"
REGISTER = f"Register it with `{COMMAND} register"


@pytest.mark.parametrize(
    "arguments",
    [
        ("board", UNKNOWN),
        ("explain", "ana", "--repository", UNKNOWN),
        ("what-if", UNKNOWN, "--set", "COMMIT=1"),
        ("coverage", UNKNOWN),
        ("verify", UNKNOWN),
        ("jobs", "--repository", UNKNOWN),
        ("scrape", UNKNOWN),
        ("disable", UNKNOWN),
        ("enable", UNKNOWN),
        ("remove", UNKNOWN, "--yes"),
        ("refresh", UNKNOWN),
        ("recalculate", UNKNOWN),
    ],
    ids=" ".join,
)
def test_an_unknown_repository_is_named_with_how_to_register_it(
    data: Path, arguments: tuple[str, ...]
) -> None:
    sentence = refusal(command(data, *arguments))
    assert f"{UNKNOWN} is not registered" in sentence
    assert REGISTER in sentence


@pytest.mark.parametrize(
    "arguments",
    [
        ("register", "octo"),
        ("register", ENGINE_NAME, "a b/c"),
        ("board", "octo/.."),
        ("scrape", "https://example.org/octo/engine"),
        ("recalculate", "octo"),
        ("run", "--repos", "octo/engine octo"),
    ],
    ids=" ".join,
)
def test_a_wrong_name_is_shown_with_how_names_are_written(
    data: Path, arguments: tuple[str, ...]
) -> None:
    assert "Write it as owner/name" in refusal(command(data, *arguments))


@pytest.mark.parametrize("name", ["ingest", "run"])
@pytest.mark.parametrize(
    ("spec", "remedy"),
    [
        ("/nowhere/hours.json.gz", "There is no '/nowhere/hours.json.gz'. Give a path"),
        ("/nowhere/*.json.gz", "No archive file matches it"),
        ("2014-06-01", "Archives start at 2015-01-01"),
        ("2025-03-20-24", "hours are 0 to 23"),
        ("2025-02-30", "no such day"),
        ("2025-03-20..2025-03-01", "Put the earlier end first"),
        ("2999-01-01", "The last hour that is over"),
    ],
)
def test_archive_files_that_cannot_be_are_refused_with_the_remedy(
    tmp_path: Path, name: str, spec: str, remedy: str
) -> None:
    option = ("--archive",) if name == "run" else ()
    assert remedy in refusal(command(tmp_path, name, *option, spec))


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("what-if", "--set", "COMMITS=1"), "Kinds are COMMIT, PR_OPENED"),
        (("what-if", "--set", "COMMIT"), "such as COMMIT=5"),
        (("what-if", "--set", "COMMIT=many"), "'many' is no number"),
        (("what-if", "--set", "COMMIT=-1"), "points.COMMIT"),
        (("what-if", "--set", "COMMIT=1e9"), "points.COMMIT"),
        (("what-if",), "--set COMMIT=5 or --rules FILE"),
        (("board", "--window", "8d"), "--window"),
        (("board", "--class", "cat"), "--class"),
        (("board", "--sort", "luck"), "--sort"),
        (("board", "--page", "0"), "--page"),
        (("board", "--page-size", "many"), "--page-size"),
        (("board", "--start", "2025-03-01"), "--start and --end belong together"),
        (("board", "--start", "soon", "--end", "2025-03-02"), "'--start'"),
        (("board", "--start", "2025-03-02", "--end", "2025-03-02"), "later than start"),
        (("board", "--start", "2012-01-01", "--end", "2025-03-02"), "2015-01-01"),
        (("explain", "nobody"), "board --search"),
        (("jobs", "42"), "There is no job 42"),
        (("jobs", "--state", "asleep"), "--state"),
        (("costs", "--days", "0"), "--days"),
        (("recalculate",), "--global or --all"),
        (("recalculate", ENGINE_NAME, "--all"), "--global or --all"),
        (("register",), "--organization"),
        (("board", "--port", "70000"), "--port"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_wrong_option_is_named_with_what_would_be_right(
    data: Path, arguments: tuple[str, ...], hint: str
) -> None:
    assert hint in refusal(command(data, *arguments))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is not JSON: "),
        ("[]", "rules: "),
        ('{"points": {"COMMITS": 1}}', "points.COMMITS"),
        ('{"points": {"COMMIT": -1}}', "points.COMMIT"),
        ('{"points": {}, "bonus": 1}', "bonus"),
        ("\xff", "it is no text"),
    ],
)
def test_a_broken_file_of_rules_is_refused_naming_the_field(
    data: Path, tmp_path: Path, text: str, problem: str
) -> None:
    rules = tmp_path / "rules.json"
    rules.write_bytes(text.encode("latin-1"))
    sentence = refusal(command(data, "what-if", "--rules", str(rules)))
    assert problem in sentence
    assert str(rules) in sentence


def test_a_file_of_rules_that_is_not_there_is_named(data: Path) -> None:
    sentence = refusal(command(data, "what-if", "--rules", "/nowhere/rules.json"))
    assert "Cannot read the rules in /nowhere/rules.json: No such file" in sentence


@pytest.mark.parametrize("name", ["run", "serve", "board"])
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "http"),
        ("PORT", "70000"),
        ("LOG_LEVEL", "LOUD"),
        ("RETRY_SECONDS", "soon"),
        ("BACKEND", "paper"),
        ("KEEP_GENERATIONS", "1"),
    ],
)
def test_a_wrong_setting_is_named_by_its_variable(
    data: Path, name: str, variable: str, value: str
) -> None:
    assert f"{variable}='{value}'" in refusal(command(data, name, **{variable: value}))


@pytest.mark.parametrize("name", ["run", "serve", "ingest"])
def test_what_is_for_this_machine_says_so_on_google_cloud(data: Path, name: str) -> None:
    arguments = ["events.json.gz"] if name == "ingest" else []
    assert "Set BACKEND=local" in refusal(command(data, name, *arguments, BACKEND="gcp"))


def test_google_cloud_without_a_project_names_the_setting(data: Path) -> None:
    assert "needs GOOGLE_CLOUD_PROJECT" in refusal(command(data, "board", BACKEND="gcp"))


@pytest.mark.parametrize("name", ["run", "serve"])
def test_a_taken_port_is_named_with_the_setting_to_change(tmp_path: Path, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        sentence = refusal(command(tmp_path / "data", name, PORT=port))
    assert f"Port {port} on 127.0.0.1 is taken" in sentence
    assert "Set PORT" in sentence


def test_an_address_that_is_not_ours_is_named_with_the_setting_to_change(tmp_path: Path) -> None:
    assert "Change HOST" in refusal(command(tmp_path, "serve", "--host", "192.0.2.1"))


def test_a_data_directory_that_cannot_be_is_named_with_its_setting(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for data in (file, file / "below"):
        assert "DATA_DIR" in refusal(command(data, "run", LOG_FORMAT="json"))
        assert "DATA_DIR" in refusal(command(data, "run"))


def test_a_log_that_cannot_be_written_is_named_with_its_setting(tmp_path: Path) -> None:
    assert "LOG_FILE" in refusal(command(tmp_path, "serve", LOG_FILE=str(tmp_path)))


def test_looking_at_nothing_makes_nothing(tmp_path: Path) -> None:
    assert "Begin with `make run`" in refusal(command(tmp_path / "typo", "board"))
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize("arguments", [("board",), ("coverage",), ("verify",), ("explain", "ana")])
def test_without_a_board_the_way_to_one_is_said(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    command(tmp_path, "ingest", str(write_archive(tmp_path)))
    assert f"`{COMMAND} run` makes one" in refusal(command(tmp_path, *arguments))


def test_a_repository_of_which_nothing_was_captured_says_so_and_fails(tmp_path: Path) -> None:
    command(tmp_path, "ingest", str(write_archive(tmp_path)))
    result = command(tmp_path, "register", UNKNOWN, "--wait")
    assert result.exit_code == 1
    assert f"No event of {UNKNOWN} was captured" in result.stdout
    assert f"No event of {UNKNOWN} was captured" in refusal(command(tmp_path, "board", UNKNOWN))


def test_a_file_that_is_no_archive_is_read_as_broken_lines(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text("this\nis not\nJSON\n")
    result = command(tmp_path / "data", "ingest", str(tmp_path / "notes.json"))
    assert "Read 1 file: 0 events" in result.stdout
    assert "Left out: 3 broken rows." in result.stdout


def test_a_line_of_the_settings_file_that_is_no_setting_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("# settings\nPORT=0\nnonsense\n")
    sentence = refusal(command(tmp_path / "data", "serve"))
    assert "'nonsense' in .env has no value. Write it as NAME=value." in sentence


def test_what_is_unexpected_is_one_sentence_with_its_trace_in_the_log(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object) -> None:
        raise KeyError("a defect")

    monkeypatch.setattr("infra.cli.boards.view_of", explode)
    sentence = refusal(command(data, "board"))
    assert "KeyError" in sentence
    log = data / "log.jsonl"
    assert str(log) in sentence
    assert "Traceback" in log.read_text()
