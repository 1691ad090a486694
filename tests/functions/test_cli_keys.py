"""The first key: made by a command, once, here and on Google Cloud."""

from __future__ import annotations

import json
import uuid
from contextlib import closing
from pathlib import Path

from infra.gcp.documents import FirestoreDocuments
from tests.support.command_line import answer, command, refusal
from tests.support.scenario import open_services


def test_it_is_shown_once_and_opens_the_api(tmp_path: Path) -> None:
    shown = command(tmp_path / "data", "first-key")
    assert shown.exit_code == 0, shown.output
    key = shown.stdout.strip()
    assert key.startswith("lb_")
    (document,) = open_services(tmp_path / "data").documents.get(f"keys/{key.split('_')[1]}")
    assert document is not None
    assert document.fields["role"] == "admin"
    assert key not in json.dumps(dict(document.fields))
    assert "made before" in refusal(command(tmp_path / "data", "first-key"))


def test_programs_get_it_in_json(tmp_path: Path) -> None:
    assert answer(tmp_path / "data", "first-key")["data"]["key"].startswith("lb_")


def test_on_google_cloud_the_project_is_all_it_wants(
    tmp_path: Path, firestore_emulator: str
) -> None:
    project = f"p{uuid.uuid4().hex[:12]}"
    cloud = {
        "BACKEND": "gcp",
        "GOOGLE_CLOUD_PROJECT": project,
        "FIRESTORE_EMULATOR_HOST": firestore_emulator,
    }
    shown = command(tmp_path / "data", "first-key", **cloud)
    assert shown.exit_code == 0, shown.output
    with closing(FirestoreDocuments(project, emulator_host=firestore_emulator)) as documents:
        (found,) = documents.get(f"keys/{shown.stdout.strip().split('_')[1]}")
    assert found is not None
    assert "made before" in refusal(command(tmp_path / "data", "first-key", **cloud))
