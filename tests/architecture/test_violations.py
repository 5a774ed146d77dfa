"""The import contracts bite: each deliberate violation, in a copy of the sources, is found and named."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.architecture.test_rules import ROOT, lint_imports

pytestmark = pytest.mark.long
STAIRS = "The stairs: an app imports only what is below it"
INSIDE = "Inside a domain app: enums, models, policies, selectors, services, admin or tasks"
PURE = "The pure cores know no Django"


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A line that somebody might write, where, and the contract that forbids it."""

    what: str
    place: str
    line: str
    contract: str


VIOLATIONS = [
    Violation(
        what="a face imports a face",
        place="apps/portal/urls.py",
        line="from apps.api import errors",
        contract=STAIRS,
    ),
    Violation(
        what="the two specialists meet",
        place="apps/sla/services.py",
        line="from apps.approvals import selectors as theirs",
        contract=STAIRS,
    ),
    Violation(
        what="the core imports the outbox",
        place="apps/core/locks.py",
        line="from apps.outbox.models import Stream",
        contract=STAIRS,
    ),
    Violation(
        what="the engine imports Django",
        place="apps/workflows/engine/planner.py",
        line="from django.db import models",
        contract=PURE,
    ),
    Violation(
        what="a model imports a service",
        place="apps/approvals/models/approval.py",
        line="from apps.approvals import services",
        contract=INSIDE,
    ),
]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for package in ("apps", "serviceflow"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def broken_contracts(said: str) -> list[str]:
    """The names of the broken contracts; the tool folds long lines."""
    verdicts = " ".join(said.split())
    return [name for name in (STAIRS, INSIDE, PURE) if f"{name} BROKEN" in verdicts]


def test_the_untouched_copy_passes(copy):
    done = lint_imports(copy)
    assert (done.returncode, broken_contracts(done.stdout)) == (0, []), done.stdout


@pytest.mark.parametrize("violation", VIOLATIONS, ids=lambda one: one.what)
def test_a_violation_is_found_and_its_contract_named(copy, violation):
    path = copy / violation.place
    path.write_text(path.read_text() + f"\n{violation.line}\n")
    done = lint_imports(copy)
    assert done.returncode != 0
    assert broken_contracts(done.stdout) == [violation.contract], done.stdout
