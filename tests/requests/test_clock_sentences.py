"""What a history says of clocks: what they measure is named as people know it, whatever became of its policy."""

from __future__ import annotations

from typing import Any

import pytest

from apps.requests.selectors.clock_sentences import OF_CLOCKS, priority_changed
from apps.requests.selectors.sentences import Words
from apps.sla.targets import parse_policy
from apps.workflows.engine.document import compile_document
from tests.factories import line_document

HOURS = {level: {"seconds": 3600} for level in ("critical", "high", "medium", "low")}
ALARMS = [
    {"id": "near", "at": 80, "do": "raise_priority"},
    {"id": "end", "at": 100, "do": "reassign", "to": [{"team": "it"}]},
    {"id": "late", "after_breach": 5400, "do": "notify", "to": [{"lead": True}], "text": "Look"},
]
POLICY = parse_policy(
    {
        "targets": [
            {"id": "answer", "metric": "response", "durations": HOURS},
            {"id": "fix", "metric": "resolution", "durations": HOURS, "escalations": ALARMS},
            {"id": "named", "name": "Packed", "metric": "resolution", "durations": HOURS},
            {"id": "at", "metric": "step", "of": "pack", "durations": HOURS},
            {"id": "by", "metric": "approval", "of": "line", "durations": HOURS},
            {"id": "in", "metric": "stage", "of": "work", "durations": HOURS},
        ]
    }
)
PLACES = [
    {"id": ident, "kind": "task", "name": name, "stage": "work", "assign": {"team": "it"}}
    for ident, name in (("pack", "Pack it"), ("line", "Line manager"))
]
STAGES = {"stages": [{"id": "work", "name": "In the workshop"}]}
WORKFLOW = compile_document(line_document("packing", *PLACES) | STAGES)


def words(**more: Any) -> Words:
    return Words(**{"workflow": WORKFLOW, "sla": POLICY, **more})


@pytest.mark.parametrize(
    ("target", "metric", "named"),
    [
        ("answer", "response", "the first response"),
        ("fix", "resolution", "the solution"),
        ("named", "resolution", "“Packed”"),
        ("at", "step", "the step “Pack it”"),
        ("by", "approval", "the approval “Line manager”"),
        ("in", "stage", "the stage “In the workshop”"),
        ("gone", "step", "“gone”"),
        ("gone", "response", "the first response"),
    ],
)
def test_a_clock_is_named_by_what_it_measures(target: str, metric: str, named: str) -> None:
    said = OF_CLOCKS["sla.met"]({"target": target, "metric": metric}, words())
    assert said == f"noted that the time for {named} was kept"


@pytest.mark.parametrize(
    ("escalation", "do", "said"),
    [
        ("near", "raise_priority", "raise the priority by one step, as 80 % of the time for the solution is used up"),
        ("end", "reassign", "give the request to the team it, as the time for the solution is over"),
        (
            "late",
            "notify",
            "tell the lead of the team that has it “Look”, as the time for the solution has been over for 1 h 30 min",
        ),
        ("gone", "notify", "tell people, as the time for the solution runs out"),
    ],
)
def test_an_escalation_says_what_it_does_and_why(escalation: str, do: str, said: str) -> None:
    data = {"target": "fix", "metric": "resolution", "escalation": escalation, "do": do}
    assert OF_CLOCKS["sla.escalated"](data, words()) == f"escalated, to {said}"


def test_without_its_policy_a_clock_still_has_a_sentence() -> None:
    data = {"target": "fix", "metric": "resolution", "escalation": "near", "do": "run_action"}
    said = OF_CLOCKS["sla.escalated"](data, words(sla=None))
    assert said == "escalated, to carry out an action, as the time for the solution runs out"


def test_a_priority_that_went_up_by_itself_says_so_and_one_that_was_told_before_too() -> None:
    old = {"was": "medium", "priority": "high", "impact": "medium", "urgency": "high"}
    alarm = {"target": "fix", "metric": "resolution", "escalation": "near"}
    assert [priority_changed(data, words()) for data in (old, {**old, **alarm})] == [
        "changed the priority from medium to high: medium impact and high urgency",
        "raised the priority from medium to high, as 80 % of the time for the solution is used up",
    ]
