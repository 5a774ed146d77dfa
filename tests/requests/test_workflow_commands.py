"""`manage.py check_workflow` and `manage.py simulate_workflow`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.factories import approval_document, choice_document, line_document
from tests.requests.conftest import World
from tests.requests.odd_documents import ODD

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parent.parent.parent
PROBLEM = frozenset({"code", "severity", "step", "transition", "message", "path"})
NOW = "2026-11-23T10:00:00Z"
Json = dict[str, Any]


@pytest.fixture
def file(tmp_path: Path) -> Any:
    """Writes a file of that name (JSON, or bytes as they are) and gives its path."""

    def write(name: str, content: Any) -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return str(path)

    return write


def command(*args: str) -> tuple[int, list[str]]:
    """Exit code and lines of a command that reads its files."""
    out = StringIO()
    try:
        call_command(*args, stdout=out, stderr=StringIO())
    except SystemExit as end:
        return int(str(end.code)), out.getvalue().splitlines()
    return 0, out.getvalue().splitlines()


def unreadable(*args: str) -> tuple[int, str, list[str]]:
    """Exit code, message and lines of a command that refuses its files."""
    out = StringIO()
    with pytest.raises(CommandError) as refused:
        call_command(*args, stdout=out, stderr=StringIO())
    return refused.value.returncode, str(refused.value), out.getvalue().splitlines()


# check_workflow


def test_a_document_that_can_be_published_exits_with_0(world: World, file: Any) -> None:
    path = file("good.json", approval_document())
    code, lines = command("check_workflow", path, "--json")
    assert (code, json.loads(lines[-1])) == (0, {"publishable": True, "verified": True, "problems": []})
    assert command("check_workflow", path) == (0, ["This document can be published."])


def test_a_document_with_errors_exits_with_1_and_names_them(world: World, file: Any) -> None:
    document = approval_document(team="nobody")
    path = file("bad.json", document)
    code, lines = command("check_workflow", path, "--json")
    answer = json.loads(lines[-1])
    assert (code, answer["publishable"]) == (1, False)
    (problem,) = [one for one in answer["problems"] if one["severity"] == "error"]
    assert set(problem) == {"code", "severity", "step", "transition", "message", "path"}
    assert (problem["code"], problem["step"], "'nobody'" in problem["message"]) == ("unknown_reference", "work", True)
    code, lines = command("check_workflow", path)
    assert (code, lines[0].split()[:2]) == (1, ["error", "work"])
    assert lines[-1] == "This document cannot be published: it has 1 error(s)."


def wide_document(branches: int) -> Json:
    """Branches with a task and perhaps another, which an `active` join lets meet: 3 to the power of it markings."""
    tasks = [f"{letter}{index}" for letter in "ab" for index in range(branches)]
    outcomes = {"outcomes": [{"id": "over"}, {"id": "more"}]}
    steps = [
        {"id": "start", "kind": "start"},
        {"id": "split", "kind": "split"},
        *({"id": t, "kind": "task", "assign": {"requester": True}, **(outcomes if t[0] == "a" else {})} for t in tasks),
        {"id": "join", "kind": "join", "of": "active"},
        {"id": "end", "kind": "end", "outcome": "completed"},
    ]
    arrows = [{"from": "start", "to": "split"}, {"from": "join", "to": "end"}]
    for index in range(branches):
        arrows += [
            {"from": "split", "to": f"a{index}"},
            {"from": f"a{index}", "to": "join", "outcome": "over"},
            {"from": f"a{index}", "to": f"b{index}", "outcome": "more"},
            {"from": f"b{index}", "to": "join"},
        ]
    return {"format": 1, "workflow": "wide", "name": "Wide", "steps": steps, "transitions": arrows}


def test_a_long_check_tells_how_far_it_is(world: World, file: Any) -> None:
    told = StringIO()
    call_command("check_workflow", file("wide.json", wide_document(6)), stdout=StringIO(), stderr=told)
    assert told.getvalue().splitlines()[0] == "1,000 markings seen"


@pytest.mark.parametrize("document", [[], "x", 7, None, {}, {"format": 2}, {"format": 1, "steps": "many"}])
def test_json_that_is_no_document_exits_with_1(file: Any, document: Any) -> None:
    code, lines = command("check_workflow", file("odd.json", document), "--json")
    answer = json.loads(lines[-1])
    assert (code, answer["publishable"], answer["verified"]) == (1, False, False)
    assert answer["problems"]


# files that cannot be read

BROKEN = [
    (b'{"format": 1,', "line 1, column 14", "Line 1, column 14: Expecting property name"),
    (b'{"a": 1,\n "a": 2}', "line 2, column 2", "The key 'a' occurs twice"),
    (b'{"a": NaN}', "line 1, column 7", "NaN is not JSON."),
    (b'{"a": -Infinity}', "line 1, column 7", "-Infinity is not JSON."),
    (b"[" * 100 + b"]" * 100, "line 1, column 61", "nested more than 60 levels deep"),
    (b"[" * 200_000, "line 1, column 61", "nested more than 60 levels deep"),
    (b" " * 1_000_001, "", "This is too long"),
    (b'"' + b"x" * 5_000_000, "", "This is too long"),
    (b"\xff\xfe{}", "", "This is not UTF-8 (byte 1)."),
    (b'["\\u0000"]', "line 1, column 2", "cannot be stored"),
    (b'"\\ud800"', "line 1, column 1", "cannot be stored"),
    (b"[\n " + b"9" * 5_000 + b"]", "line 2, column 2", "A number has at most 4,300 digits."),
    (b"", "line 1, column 1", "Expecting value"),
]


@pytest.mark.parametrize(("content", "place", "message"), BROKEN)
def test_a_broken_file_exits_with_2_and_says_where(file: Any, content: bytes, place: str, message: str) -> None:
    path = file("broken.json", content)
    code, told, lines = unreadable("check_workflow", path, "--json")
    answer = json.loads(lines[-1])
    (problem,) = answer["problems"]
    assert (code, message in told, told.startswith(path)) == (2, True, True)
    assert (answer["publishable"], answer["verified"]) == (False, False)
    assert problem == {
        "code": "unreadable",
        "severity": "error",
        "step": None,
        "transition": None,
        "message": told,
        "path": place,
    }
    assert unreadable("check_workflow", path) == (2, told, [])


def test_a_file_that_is_not_there_exits_with_2(tmp_path: Path) -> None:
    code, told, lines = unreadable("check_workflow", str(tmp_path / "gone.json"), "--json")
    assert (code, told) == (2, f"{tmp_path / 'gone.json'}: No such file or directory.")
    assert json.loads(lines[-1])["problems"][0]["code"] == "unreadable"
    assert unreadable("check_workflow", str(tmp_path))[:2] == (2, f"{tmp_path}: Is a directory.")


@pytest.mark.parametrize("name", ODD)
def test_an_odd_document_is_answered_in_one_form_with_the_places(file: Any, name: str) -> None:
    path, out = file("odd.json", ODD[name]), StringIO()
    try:
        call_command("check_workflow", path, "--json", stdout=out, stderr=StringIO())
        code = 0
    except SystemExit as end:
        code = int(str(end.code))
    except CommandError as refusal:
        code = refusal.returncode
    answer = json.loads(out.getvalue().splitlines()[-1])
    errors = [one for one in answer["problems"] if one["severity"] == "error"]
    assert set(answer) == {"publishable", "verified", "problems"}
    assert {frozenset(one) for one in answer["problems"]} <= {PROBLEM}
    assert (code == 0) is answer["publishable"]
    assert code == 0 or errors
    assert [one for one in errors if not place_in(one, path)] == []


def place_in(problem: Json, path: str) -> bool:
    """Whether it names a place: a step, a transition, a path; the whole document; or what is wrong with the file."""
    message = problem["message"]
    named = problem["step"] or problem["transition"] is not None or problem["path"]
    return bool(named) or message.startswith(("The document: ", f"{path}: This is not UTF-8 (byte "))


def test_a_dry_run_needs_both_of_its_files(file: Any) -> None:
    good, bad = file("good.json", approval_document()), file("bad.json", b"{")
    for args in ((good, bad), (bad, good)):
        code, told, lines = unreadable("simulate_workflow", *args, "--json")
        answer = json.loads(lines[-1])
        assert (code, told.startswith(bad), answer["path"], answer["ended"]) == (2, True, [], None)
        assert [(one["code"], one["path"], one["entry"]) for one in answer["problems"]] == [
            ("unreadable", "line 1, column 2", None)
        ]


# simulate_workflow


def test_a_dry_run_is_told_as_json(world: World, file: Any) -> None:
    document = file("flow.json", line_document("flow", {"id": "work", "kind": "task", "assign": {"team": "it"}}))
    facts = {"request": {"requester": "requester"}, "now": NOW, "script": [{"step": "work", "outcome": "done"}]}
    code, lines = command("simulate_workflow", document, file("facts.json", facts), "--json")
    answer = json.loads(lines[-1])
    assert (code, answer["ended"], answer["problems"]) == (0, "completed", [])
    assert set(answer) == {"path", "asked", "due", "actions", "ended", "waiting", "problems"}


def test_the_script_of_a_dry_run_can_let_an_action_fail(world: World, file: Any) -> None:
    say = {"id": "say", "kind": "action", "action": "comment", "with": {"text": "Hello"}}
    facts = {"now": NOW, "script": [{"step": "say", "fail": 1}]}
    args = file("flow.json", line_document("flow", say)), file("facts.json", facts)
    code, lines = command("simulate_workflow", *args, "--json")
    answer = json.loads(lines[-1])
    assert [told["event"] for told in answer["path"] if told["step"] == "say"] == [
        "opened",
        "attempt 1 of 1 failed",
        "incident",
    ]
    assert (code, answer["ended"], [one["code"] for one in answer["problems"]]) == (1, None, ["incident"])


def test_a_dry_run_is_told_in_words(world: World, file: Any) -> None:
    steps = [
        {"id": "say", "kind": "action", "action": "comment", "with": {"text": "Hello"}},
        {"id": "rest", "kind": "wait", "for": {"seconds": 60}},
    ]
    facts = {"now": NOW, "script": [{"step": "gone", "outcome": "done"}]}
    args = file("flow.json", line_document("flow", *steps)), file("facts.json", facts)
    code, lines = command("simulate_workflow", *args)
    assert (code, lines) == (
        1,
        [
            "Path",
            "  2026-11-23T10:00:00Z  start: passed to say",
            "  2026-11-23T10:00:00Z  say: opened",
            "  2026-11-23T10:00:00Z  say: ended: done",
            "  2026-11-23T10:00:00Z  rest: opened",
            "Due",
            "  2026-11-23T10:01:00Z  rest",
            "Actions",
            '  2026-11-23T10:00:00Z  say: comment {"text": "Hello"}',
            "Waiting",
            '  rest: {"due": "2026-11-23T10:01:00Z"}',
            "Problems",
            "  error    gone  There is no step 'gone'.",
            "Not ended.",
        ],
    )


def test_what_is_wrong_with_the_facts_is_told_by_its_field(world: World, file: Any) -> None:
    args = file("flow.json", approval_document()), file("facts.json", {"now": "soon", "script": [{"step": 1}]})
    code, lines = command("simulate_workflow", *args, "--json")
    answer = json.loads(lines[-1])
    assert (code, answer["path"]) == (1, [])
    assert {(one["code"], one["path"]) for one in answer["problems"]} == {("facts", "now"), ("facts", "script.0.step")}


def test_a_document_with_errors_is_not_walked(world: World, file: Any) -> None:
    code, lines = command("simulate_workflow", file("flow.json", {}), file("facts.json", {}), "--json")
    answer = json.loads(lines[-1])
    assert (code, answer["path"], bool(answer["problems"])) == (1, [], True)


# a fresh checkout


DATABASE = "database.sqlite3"


def manage(tmp_path: Path, *args: str) -> tuple[int, Json]:
    """Exit code and last line of a command on the demonstration's settings, where no database was made yet."""
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path / DATABASE}"}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "manage.py", *args, "--json"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


def test_without_a_database_the_document_is_checked_and_what_it_names_is_not(tmp_path: Path, file: Any) -> None:
    code, answer = manage(tmp_path, "check_workflow", "fixtures/workflows/laptop.json")
    assert (code, answer["publishable"], answer["verified"]) == (0, True, True)
    assert [(one["code"], one["severity"]) for one in answer["problems"]] == [("references_unchecked", "warning")]
    document = approval_document()
    del document["transitions"][-1]
    code, answer = manage(tmp_path, "check_workflow", file("bad.json", document))
    assert (code, answer["publishable"]) == (1, False)
    assert answer["problems"][-1]["code"] == "references_unchecked"
    assert not (tmp_path / DATABASE).exists()


def test_a_database_that_was_not_migrated_is_left_as_it_is(tmp_path: Path, file: Any) -> None:
    (tmp_path / DATABASE).touch()
    code, answer = manage(tmp_path, "check_workflow", file("flow.json", line_document("flow")))
    assert (code, [one["code"] for one in answer["problems"]]) == (0, ["references_unchecked"])


@pytest.mark.parametrize(
    ("document", "codes"),
    [
        (choice_document("request.numbr == 'x'"), ["unknown_field", "references_unchecked"]),
        (line_document("flow", {"id": "sub", "kind": "subflow", "workflow": "other"}), ["references_unchecked"]),
        (
            line_document("flow", {"id": "sub", "kind": "subflow", "workflow": "flow"}),
            ["references_unchecked", "endless_recursion"],
        ),
    ],
    ids=["a name that no request has", "a workflow that is not known", "a workflow that runs itself without end"],
)
def test_without_a_database_everything_is_found_that_needs_none(
    tmp_path: Path, file: Any, document: Json, codes: list[str]
) -> None:
    _, answer = manage(tmp_path, "check_workflow", file("flow.json", document))
    assert sorted(one["code"] for one in answer["problems"]) == sorted(codes)


def test_without_a_database_a_dry_run_knows_nobody(tmp_path: Path, file: Any) -> None:
    facts = {"now": NOW, "script": [{"step": "approve", "decision": "reject"}]}
    code, answer = manage(tmp_path, "simulate_workflow", "fixtures/workflows/access.json", file("facts.json", facts))
    assert (code, answer["ended"]) == (0, "rejected")
    assert [one["code"] for one in answer["problems"]] == ["references_unchecked"]
    assert not (tmp_path / DATABASE).exists()
