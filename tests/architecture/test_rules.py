"""Rules of the design that a linter does not know."""

from __future__ import annotations

import ast
import importlib.util
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import models
from django_fsm import FSMField

ROOT = Path(__file__).resolve().parent.parent.parent
STEPS = (
    {"core"},
    {"outbox", "calendars"},
    {"accounts"},
    {"workflows"},
    {"approvals", "sla"},
    {"requests"},
    {"notifications"},
    {"portal", "api", "designer", "realtime"},
)
LEVEL = {label: level for level, labels in enumerate(STEPS) for label in labels}
CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "timezone.now", "time.time"}
LONGEST_FILE = 400


def sources(*places: str) -> Iterator[tuple[str, ast.Module]]:
    """Path and syntax tree of each source file below these places, without migrations."""
    for place in places:
        for path in sorted((ROOT / place).rglob("*.py")):
            if "migrations" not in path.parts:
                yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def calls(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """`name.attribute` and line of each call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield ".".join(ast.unparse(node.func).split(".")[-2:]), node.lineno


def own_models() -> list[type[models.Model]]:
    return [model for model in apps.get_models() if model.__module__.startswith("apps.")]


def lint_imports(place: Path) -> subprocess.CompletedProcess[str]:
    """import-linter's verdict on the tree below `place`."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=280)


def test_the_import_contracts_hold():
    done = lint_imports(ROOT)
    assert (done.returncode, "0 broken" in done.stdout) == (0, True), done.stdout


def test_the_app_named_requests_does_not_hide_the_http_library():
    assert str(ROOT / "apps") not in sys.path
    found = importlib.util.find_spec("requests")
    assert found is None or ROOT / "apps" not in Path(found.origin or "").parents


def test_now_has_one_source():
    found = [
        f"{path}:{line} {name}"
        for path, tree in sources("apps", "serviceflow")
        for name, line in calls(tree)
        if name in CLOCKS and path != "apps/core/clock.py"
    ]
    assert found == []


def test_the_states_that_only_developers_change_are_protected():
    protected = {
        model.__name__: field.protected
        for model in own_models()
        for field in model._meta.get_fields()
        if isinstance(field, FSMField)
    }
    assert protected == {"Request": True, "Approval": True, "SlaClock": True, "WorkflowVersion": True}


def test_no_statement_writes_a_protected_state_past_its_methods():
    """`update(status=...)` and `bulk_update` do not ask the field whether it is protected."""
    guarded = {"Request", "Approval", "SlaClock", "WorkflowVersion"}
    found = []
    for path, tree in sources("apps", "serviceflow"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "update":
                named = {word.arg for word in node.keywords}
                if "status" in named and any(f"{name}." in ast.unparse(node.func) for name in guarded):
                    found.append(f"{path}:{node.lineno}")
    assert found == []


def test_no_model_assigns_a_state_itself():
    found = []
    for path, tree in sources(*(f"apps/{app}/models" for app in ("requests", "approvals", "sla", "workflows"))):
        for node in ast.walk(tree):
            targets = node.targets if isinstance(node, ast.Assign) else []
            flat = [one for target in targets for one in getattr(target, "elts", [target])]
            if any(isinstance(one, ast.Attribute) and one.attr == "status" for one in flat):
                found.append(f"{path}:{node.lineno}")
    assert found == []


def test_nobody_queues_a_task_by_hand():
    """A queued task may be lost: work that must happen is a row, Celery only wakes what looks for it."""
    found = [
        f"{path}:{line}"
        for path, tree in sources("apps")
        for name, line in calls(tree)
        if name.endswith((".delay", ".apply_async", ".send_task")) and path != "apps/outbox/wake.py"
    ]
    assert found == []


def test_no_app_below_the_requests_has_tasks_but_the_relay():
    assert sorted(str(path.relative_to(ROOT)) for path in (ROOT / "apps").rglob("tasks.py")) == [
        "apps/outbox/tasks.py",
        "apps/requests/tasks.py",
    ]


def test_there_are_no_signals_of_our_own():
    found = [
        path
        for path, tree in sources("apps")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("django.db.models.signals")
    ]
    assert found == []


def test_no_file_is_longer_than_a_person_reads():
    long = [
        str(path.relative_to(ROOT))
        for place in ("apps", "serviceflow")
        for path in (ROOT / place).rglob("*.py")
        if "migrations" not in path.parts and len(path.read_text().splitlines()) > LONGEST_FILE
    ]
    assert long == []


def test_foreign_keys_point_down_the_stairs():
    found = [
        f"{model._meta.label}.{field.name} -> {field.related_model._meta.label}"
        for model in own_models()
        for field in (*model._meta.local_fields, *model._meta.local_many_to_many)
        if field.related_model and field.related_model._meta.app_label in LEVEL
        and not _points_down(model._meta.app_label, field.related_model._meta.app_label)
    ]  # fmt: skip
    assert found == []


def _points_down(label: str, other: str) -> bool:
    return label == other or LEVEL[label] > LEVEL[other]


def test_every_app_has_its_step():
    labels = {path.name for path in (ROOT / "apps").iterdir() if (path / "__init__.py").exists()}
    assert labels - LEVEL.keys() == set()


@pytest.mark.django_db
@pytest.mark.sqlite
def test_the_migrations_say_what_the_models_say():
    said = io.StringIO()
    call_command("makemigrations", check=True, dry_run=True, stdout=said)
    assert said.getvalue() == "No changes detected\n"
