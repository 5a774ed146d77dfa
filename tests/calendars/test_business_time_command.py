from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROW = {
    "id": "a",
    "kind": "add",
    "tz": "Etc/UTC",
    "week": {"mon": [["09:00", "17:00"]]},
    "start": "2026-03-02T10:00:00Z",
    "duration_s": 60,
    "expected": "2026-03-02T10:01:00Z",
}
WRONG = ROW | {"id": "b\n\ud800", "expected": "2026-03-02T10:02:00Z"}


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    settings = {
        "DJANGO_SETTINGS_MODULE": "serviceflow.settings.demo",
        "DATABASE_URL": f"sqlite:///{folder}/none.sqlite3",
    }
    command = [sys.executable, str(ROOT / "manage.py"), "business_time", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | settings, cwd=folder)


def rows(folder: Path, *found: object) -> str:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in found))
    return str(path)


@pytest.mark.sqlite
def test_the_last_line_counts_and_names_what_failed_and_no_database_is_made(tmp_path: Path) -> None:
    answer = run(rows(tmp_path, ROW, "", WRONG, "{"), "--json", folder=tmp_path)
    got = "2026-03-02T10:01:00+00:00"
    last = json.loads(answer.stdout.splitlines()[-1])
    assert (answer.returncode, last["rows"], last["passed"]) == (1, 3, 1)
    assert last["failed"][0] == {"id": "b\n\ud800", "expected": "2026-03-02T10:02:00Z", "got": got}
    assert (last["failed"][1]["id"], last["failed"][1]["expected"]) == ("line 4", None)
    assert answer.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_people_read_what_failed_and_the_count_of_each_kind(tmp_path: Path) -> None:
    answer = run(rows(tmp_path, ROW, WRONG), folder=tmp_path)
    assert answer.stdout.splitlines() == [
        "b\\n\\ud800 (add)",
        '  expected  "2026-03-02T10:02:00Z"',
        '  got       "2026-03-02T10:01:00+00:00"',
        "add                   1 of 2",
        "all                   1 of 2",
    ]


def test_where_all_pass_the_exit_code_is_0(tmp_path: Path) -> None:
    answer = run(rows(tmp_path, ROW), "--json", folder=tmp_path)
    assert (answer.returncode, json.loads(answer.stdout)) == (0, {"rows": 1, "passed": 1, "failed": []})


@pytest.mark.parametrize(("name", "reason"), [("none.jsonl", "No such file or directory"), ("", "Is a directory")])
def test_a_file_that_cannot_be_read_is_said_with_exit_code_2(tmp_path: Path, name: str, reason: str) -> None:
    answer = run(str(tmp_path / name), "--json", folder=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == f"CommandError: {tmp_path / name}: {reason}\n"
