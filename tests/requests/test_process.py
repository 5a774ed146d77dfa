"""From visits to figures: values worked out by hand, and random walks counted a second time, naively."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core import clock
from apps.core.errors import NotPermitted
from apps.requests.process import (
    MOST_PARTS,
    MOST_VARIANTS,
    Move,
    Part,
    RunRow,
    Spread,
    StepFigures,
    Study,
    Variant,
    VisitRow,
    duration,
    study,
)
from apps.requests.selectors.process import ItemWithRuns, Period, VersionWithRuns, items_with_runs, process_of
from apps.requests.services.lifecycle import cancel_request, reopen_request
from apps.workflows.engine.document import compile_document
from apps.workflows.models import StepVisit, WorkflowRun
from tests.factories import approval_document, choice_document, make_item, make_request, make_workflow
from tests.requests.conftest import World

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
SIMPLE = compile_document(approval_document())
NOBODY = Spread()


def at(hours: float) -> datetime:
    return MONDAY + timedelta(hours=hours)


def run(pk: int, outcome: str = "", *, ended: float | None = None, number: int = 0, n: int = 1) -> RunRow:
    """A run of its own request from hour 0 on."""
    end = None if ended is None else at(ended)
    return RunRow(pk, n, outcome, MONDAY, end, f"SR-2026-{number or pk:06}", outcome, MONDAY, end)


def stay(pk: int, step: str, outcome: str, opened: float, ended: float) -> VisitRow:
    return VisitRow(pk, step, "ended", outcome, at(opened), at(ended))


def open_stay(pk: int, step: str, opened: float) -> VisitRow:
    return VisitRow(pk, step, "begun", "", at(opened), None)


RUNS = [
    run(1, "completed", ended=4),
    run(2, "completed", ended=10),
    run(3, "rejected", ended=3),
    run(4),
    run(5, "cancelled", ended=2),
]
VISITS = [
    stay(1, "approve", "approved", 0, 1),
    stay(1, "work", "done", 1, 4),
    stay(2, "approve", "approved", 0, 2),
    stay(2, "work", "done", 2, 10),
    stay(3, "approve", "returned", 0, 1),
    stay(3, "mend", "done", 1, 2),
    stay(3, "approve", "rejected", 2, 3),
    open_stay(4, "approve", 0),
    VisitRow(5, "approve", "withdrawn", "", at(0), at(2)),
]


def simple() -> Study:
    return study(SIMPLE, RUNS, VISITS, {})


def test_requests_are_counted_by_what_became_of_them() -> None:
    totals = simple().totals
    counts = (totals.requests, totals.open, totals.completed, totals.rejected, totals.cancelled, totals.runs)
    assert counts == (5, 1, 2, 1, 1, 5)
    assert totals.duration == Spread(count=4, median=3.5 * 3600, p90=10 * 3600)


def test_each_way_is_told_with_its_outcomes_its_share_and_its_duration() -> None:
    first, *others = simple().variants
    assert first == Variant(
        parts=(Part(name="Approval", outcome="Approved", times=1), Part(name="Work", outcome="Done", times=1)),
        hidden=0,
        outcome="completed",
        count=2,
        share=0.4,
        cumulative=0.4,
        duration=Spread(count=2, median=7 * 3600, p90=10 * 3600),
        example="SR-2026-000002",
    )
    assert [[(part.name, part.outcome) for part in variant.parts] for variant in others] == [
        [("Approval", "taken back")],
        [("Approval", "there now")],
        [("Approval", "Returned"), ("Mend", ""), ("Approval", "Rejected")],
    ]
    assert [variant.cumulative for variant in others] == [0.6, 0.8, 1.0]


def test_waiting_times_are_those_of_ended_visits() -> None:
    assert simple().steps == (
        StepFigures(
            id="approve",
            name="Approval",
            kind="approval",
            visits=6,
            now=1,
            waiting=Spread(count=4, median=3600, p90=2 * 3600),
        ),
        StepFigures(
            id="work",
            name="Work",
            kind="task",
            visits=2,
            now=0,
            waiting=Spread(count=2, median=5.5 * 3600, p90=8 * 3600),
        ),
        StepFigures(
            id="mend", name="Mend", kind="task", visits=1, now=0, waiting=Spread(count=1, median=3600, p90=3600)
        ),
    )


def test_the_time_between_steps_is_from_opening_to_opening_or_to_the_end() -> None:
    def hours(*values: float) -> Spread:
        return Spread.of([value * 3600 for value in values])

    assert simple().moves == (
        Move(source="Approval", target="Work", ends=False, times=hours(1, 2)),
        Move(source="Work", target="completed", ends=True, times=hours(3, 8)),
        Move(source="Approval", target="Mend", ends=False, times=hours(1)),
        Move(source="Approval", target="cancelled", ends=True, times=hours(2)),
        Move(source="Approval", target="rejected", ends=True, times=hours(1)),
        Move(source="Mend", target="Approval", ends=False, times=hours(1)),
    )


def test_arrows_are_counted_by_the_outcome_a_visit_was_left_by() -> None:
    counted = simple()
    assert counted.arrows == {0: 5, 1: 2, 2: 1, 3: 1, 4: 1, 5: 2}
    assert counted.passed == {"start": 5, "approve": 6, "mend": 1, "work": 2, "end": 2, "no": 1}


def test_arrows_out_of_a_choice_are_those_that_were_told() -> None:
    counted = study(compile_document(choice_document("true")), [run(1, "completed", ended=0)], [], {1: 1})
    assert counted.arrows == {0: 1, 1: 1}
    assert counted.passed == {"start": 1, "which": 1, "a": 1, "b": 0}
    assert [(variant.parts, variant.outcome) for variant in counted.variants] == [((), "completed")]


@pytest.mark.parametrize(
    ("first", "reopen", "starts"),
    [("completed", {"reopen": "work"}, 1), ("completed", {}, 2), ("rejected", {"reopen": "work"}, 2)],
)
def test_a_reopened_request_counts_once_and_passes_the_start_again_unless_it_was_completed(
    first: str, reopen: dict[str, str], starts: int
) -> None:
    runs = [run(1, first, ended=4), run(2, "completed", ended=9, number=1, n=2)]
    visits = [*VISITS[:2], stay(2, "work", "done", 5, 9)]
    counted = study(compile_document(approval_document() | reopen), runs, visits, {})
    assert (counted.totals.requests, counted.totals.reopened, counted.totals.runs) == (1, 1, 2)
    assert (counted.passed["start"], counted.arrows[0], counted.passed["work"]) == (starts, starts, 2)


def test_visits_in_a_row_to_one_step_are_told_once_and_a_long_way_is_cut() -> None:
    again = [stay(1, "approve", "returned", hour, hour + 1) for hour in range(3)]
    (variant,) = study(SIMPLE, [run(1)], again, {}).variants
    assert variant.parts == (Part(name="Approval", outcome="Returned", times=3),)
    there_and_back = [stay(1, step, "returned", 0, 1) for _ in range(10) for step in ("approve", "mend")]
    (variant,) = study(SIMPLE, [run(1)], there_and_back, {}).variants
    assert (len(variant.parts), variant.hidden) == (MOST_PARTS, 20 - MOST_PARTS)


def test_rare_ways_are_summed_up() -> None:
    runs = [run(number) for number in range(1, 31)]
    visits = [stay(one.pk, "mend", "done", hour, hour + 1) for one in runs for hour in range(min(one.pk, 25))]
    counted = study(SIMPLE, runs, visits, {})
    assert (len(counted.variants), counted.more_variants, counted.more_runs) == (MOST_VARIANTS, 5, 5)
    assert (counted.variants[0].count, counted.variants[-1].cumulative) == (6, 25 / 30)


def test_nothing_gives_zeros() -> None:
    counted = study(SIMPLE, [], [], {})
    assert (counted.totals.requests, counted.totals.duration, counted.variants, counted.moves) == (0, NOBODY, (), ())
    assert [(step.visits, step.waiting) for step in counted.steps] == [(0, NOBODY)] * 3


def test_visits_of_runs_that_were_not_asked_for_are_passed_over() -> None:
    counted = study(SIMPLE, RUNS[:1], VISITS, {})
    assert (counted.totals.runs, counted.passed["approve"], counted.passed["work"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("measured", "middle", "p90"),
    [([5], 5, 5), ([1, 2], 1.5, 2), (range(1, 11), 5.5, 9), (range(1, 12), 6, 10), (range(1, 101), 50.5, 90)],
)
def test_nine_of_ten_are_within_the_nearest_rank(measured: Any, middle: float, p90: float) -> None:
    assert Spread.of(list(measured)) == Spread(count=len(measured), median=middle, p90=p90)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"),
        (0, "at once"),
        (0.9, "at once"),
        (42.7, "42 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (7200, "2 h"),
        (7500, "2 h 5 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 day"),
        (3.2 * 86_400, "3.2 days"),
        (14 * 86_400, "14 days"),
        (1234.5 * 86_400, "1,234.5 days"),
    ],
)
def test_a_length_is_said_as_people_say_it(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


# random walks

WALKED = compile_document(
    approval_document()
    | {
        "steps": [*approval_document()["steps"], {"id": "large", "kind": "choice", "name": "Large?"}],
        "transitions": [
            *(arrow for arrow in approval_document()["transitions"] if arrow["from"] != "start"),
            {"from": "start", "to": "large"},
            {"from": "large", "to": "approve", "when": "true"},
            {"from": "large", "to": "work", "otherwise": True},
        ],
    }
)


def walk(pk: int, picks: list[int]) -> tuple[RunRow, list[VisitRow], list[int]]:
    """A run that takes at each step the arrow that was picked, with its visits and every arrow it took."""
    here, visits, taken = WALKED.start, [], []
    for hour, pick in enumerate(picks):
        arrows = WALKED.arrows_from(here.id)
        if not arrows:
            break
        arrow = arrows[pick % len(arrows)]
        taken.append(arrow.index)
        if here.outcomes:
            visits.append(stay(pk, here.id, arrow.outcome or "done", hour, hour + pick))
        here = WALKED.step(arrow.target)
    if here.kind == "end":
        return run(pk, here.settings["outcome"], ended=len(picks)), visits, taken
    return run(pk), [*visits, *([open_stay(pk, here.id, len(picks))] if here.outcomes else [])], taken


@given(st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=12), max_size=40))
def test_what_is_counted_is_what_was_walked(walks: list[list[int]]) -> None:
    walked = [walk(pk, picks) for pk, picks in enumerate(walks, 1)]
    runs, visits = [one for one, _, _ in walked], [visit for _, own, _ in walked for visit in own]
    taken = Counter(arrow for _, _, arrows in walked for arrow in arrows)
    choices = {arrow.index: taken[arrow.index] for arrow in WALKED.arrows_from("large")}
    counted = study(WALKED, runs, visits, choices)
    ways = Counter((tuple((v.step, v.outcome) for v in own), one.outcome) for one, own, _ in walked)
    assert sum(variant.count for variant in counted.variants) + counted.more_runs == len(runs)
    assert len(counted.variants) + counted.more_variants == len(ways)
    assert [variant.count for variant in counted.variants] == sorted(ways.values(), reverse=True)[:MOST_VARIANTS]
    assert Counter(counted.arrows) == taken
    for step in WALKED.steps[1:]:
        assert counted.passed[step.id] == sum(counted.arrows.get(one.index, 0) for one in WALKED.arrows_to(step.id))
    moves = Counter()
    for one, own, _ in walked:
        moves.update((a.step, b.step) for a, b in pairwise(own))
        moves.update([(own[-1].step, one.outcome)] if own and one.outcome else [])
    assert sorted(move.times.count for move in counted.moves) == sorted(moves.values())


# from the database


def figures(world: World, *, period: Period = Period(), most: int = 50_000, slug: str = "thing"):  # noqa: B008
    version = WorkflowRun.objects.filter(stream__request__item__slug=slug).order_by("pk")[0].version_id
    return process_of(world.administrator, slug=slug, version=version, period=period, most=most)


def test_what_went_through_the_services_is_counted(world: World) -> None:
    first, second = make_request(world.item, world.requester), make_request(world.item, world.requester)
    cancel_request(second, actor=world.requester)
    counted = figures(world).study
    assert (counted.totals.requests, counted.totals.open, counted.totals.cancelled) == (2, 1, 1)
    assert (counted.arrows, counted.passed["approve"]) == ({0: 2}, 2)
    assert {variant.example for variant in counted.variants} == {first.number, second.number}


def test_a_reopened_request_gives_two_runs(world: World) -> None:
    request = make_request(world.item, world.requester)
    cancel_request(request, actor=world.requester)
    reopen_request(request, reason="Still needed", actor=world.requester)
    totals = figures(world).study.totals
    assert (totals.requests, totals.open, totals.reopened, totals.runs) == (1, 1, 1, 2)


def test_the_arrows_of_choices_are_read_from_the_events(world: World) -> None:
    form = {"fields": [{"name": "amount", "type": "number"}]}
    workflow = make_workflow(choice_document("request.data.amount > 10"))
    item = make_item("choosy", workflow=workflow, form=form)
    for amount in (5, 20, 30):
        make_request(item, world.requester, data={"amount": amount})
    counted = figures(world, slug="choosy").study
    assert counted.arrows == {0: 3, 1: 2, 2: 1}
    assert counted.passed == {"start": 3, "which": 3, "a": 2, "b": 1}


def test_only_the_newest_runs_are_counted_where_there_are_too_many(world: World) -> None:
    for _ in range(3):
        make_request(world.item, world.requester)
    process = figures(world, most=2)
    assert (process.cut, process.study.totals.runs, process.study.passed["approve"]) == (True, 2, 2)
    assert figures(world, most=3).cut is False


def test_a_period_holds_what_was_submitted_in_it(world: World) -> None:
    make_request(world.item, world.requester)
    now, hour = clock.now(), timedelta(hours=1)
    periods = (Period(since=now - hour), Period(since=now + hour), Period(until=now + hour), Period(until=now - hour))
    assert [figures(world, period=period).study.totals.requests for period in periods] == [1, 0, 1, 0]


def test_items_are_offered_with_their_versions_the_most_used_first(world: World) -> None:
    other = make_item("other", workflow=make_workflow(choice_document("true", key="other")))
    make_request(other, world.requester)
    for _ in range(2):
        make_request(world.item, world.requester)
    assert items_with_runs(world.administrator) == [
        ItemWithRuns(slug=slug, name=name, versions=(VersionWithRuns(pk=pk, workflow=name_, n=1, runs=n, requests=n),))
        for (slug, name, name_, n), pk in zip(
            (("thing", "Thing", "Simple", 2), ("other", "Other", "Other", 1)),
            (WorkflowRun.objects.latest("pk").version_id, WorkflowRun.objects.earliest("pk").version_id),
            strict=True,
        )
    ]


def test_nobody_else_is_answered(world: World) -> None:
    make_request(world.item, world.requester)
    with pytest.raises(NotPermitted):
        items_with_runs(world.lead)
    with pytest.raises(NotPermitted):
        process_of(world.lead, slug="thing", version=1, period=Period())


def test_the_number_of_statements_does_not_depend_on_the_number_of_requests(
    world: World, django_assert_num_queries
) -> None:
    for count in (1, 3):
        while WorkflowRun.objects.count() < count:
            make_request(world.item, world.requester)
        figures(world)
        version = WorkflowRun.objects.latest("pk").version_id
        with django_assert_num_queries(2):
            process_of(world.administrator, slug="thing", version=version, period=Period())
        assert StepVisit.objects.count() == count
