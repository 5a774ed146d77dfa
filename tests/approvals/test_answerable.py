"""Random small policies, people and departures: no pending level is ever without answer unless an operator knows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.accounts.models import Delegation, User
from apps.approvals.models import Seat
from apps.core import clock
from apps.core.errors import DomainError
from apps.requests.models import Request
from apps.requests.sweeps import run_sweeps
from tests.factories import Json, make_person, make_sla, make_team
from tests.factories.approvals import approval_of, ask, decide, delegate, open_incidents, seats_of

pytestmark = [pytest.mark.django_db]
NAMES = ("p0", "p1", "p2", "p3", "p4")
ROLES = ("red", "blue")

people = st.sampled_from(NAMES)
asked: st.SearchStrategy[Json] = st.one_of(
    st.builds(lambda name: {"person": name}, people), st.builds(lambda name: {"role": name}, st.sampled_from(ROLES))
)
rules: st.SearchStrategy[Json] = st.one_of(
    st.sampled_from([{"kind": kind} for kind in ("any", "all", "majority", "all_then_any")]),
    st.builds(lambda p: {"kind": "percent", "p": p}, st.sampled_from([34, 60, 100])),
)


@st.composite
def levels(draw: st.DrawFn, key: str) -> Json:
    """A level that asks one to three rules, by any kind of vote."""
    if draw(st.integers(0, 3)) == 0:
        groups = [{"id": one, "approvers": draw(st.lists(asked, min_size=1, max_size=2)), "n": 1} for one in ("x", "y")]
        return {"id": key, "rule": {"kind": "per_group", "groups": groups}, "abstain": True}
    rule = draw(st.one_of(rules, st.just({"kind": "quorum", "n": 2})))
    who = [*draw(st.lists(asked, min_size=1, max_size=3)), *([{"role": "red"}] if rule["kind"] == "quorum" else [])]
    more: Json = {} if rule["kind"] == "all_then_any" else draw(st.sampled_from([{}, {"reject": {"kind": "majority"}}]))
    if more:
        more = draw(st.sampled_from([more, {**more, "chair": {"person": "p4"}}]))
    return {"id": key, "approvers": who, "rule": rule, "abstain": True, **more}


moves = st.one_of(
    st.tuples(st.just("leave"), people),
    st.tuples(st.just("come back"), people),
    st.tuples(st.just("lose roles"), people),
    st.tuples(st.just("get red"), people),
    st.tuples(st.just("go away"), people, people),
    st.tuples(st.just("all are back")),
    st.tuples(st.sampled_from(["approve", "approve", "reject", "abstain"]), people),
    st.tuples(st.sampled_from(["approve", "reject"]), st.just("administrator")),
)


def make(move: tuple[str, ...], request: Request) -> None:
    kind, *names = move
    users = User.objects.filter(username__in=names[:1])
    if kind in ("leave", "come back"):
        users.update(is_active=kind == "come back")
    elif kind == "lose roles":
        users.get().groups.clear()
    elif kind == "get red":
        users.get().groups.add(Group.objects.get(name="red"))
    elif kind == "go away":
        if names[0] != names[1]:
            delegate(users.get(), User.objects.get(username=names[1]))
    elif kind == "all are back":
        Delegation.objects.update(ended_at=clock.now())
    elif users.get().is_active:
        try:
            with transaction.atomic():
                decide(request, users.get(), kind)
        except DomainError:
            pass


def able(request: Request) -> Iterator[User]:
    """Who could answer now, found the long way: active, still in what named them, and really accepted."""
    for seat in seats_of(request):
        named = seat.principal or seat.user
        in_group = seat.through is None or named.groups.filter(pk=seat.through).exists()
        lost = runs_in_a_circle(seat.user)
        if not hasattr(seat, "decision") and seat.user.is_active and named.is_active and in_group and not lost:
            yield seat.user


def runs_in_a_circle(user: User) -> bool:
    seen, current = {user.pk}, user
    while True:
        live = (
            Delegation.objects.filter(principal=current, ended_at=None, deputy__is_active=True).order_by("-id").first()
        )
        if live is None:
            return False
        current = live.deputy
        if current.pk in seen:
            return True
        seen.add(current.pk)


def can_be_decided(request: Request) -> bool:
    """Whether those who can answer bring the level to an end if they all approve, tried out and undone."""
    with transaction.atomic():
        before = approval_of(request)
        for _ in range(2):  # a tie gives the chair a seat, who then answers too
            for user in list(able(request)):
                now = approval_of(request)
                if (now.pk, now.level, now.status) == (before.pk, before.level, "pending"):
                    try:
                        with transaction.atomic():
                            decide(request, user)
                    except DomainError:
                        pass
        now = approval_of(request)
        ended = (now.pk, now.level, now.status) != (before.pk, before.level, "pending")
        transaction.set_rollback(True)
    return ended


def check(request: Request) -> None:
    assert "sweep" not in open_incidents(request)
    seats = [seat for seat in seats_of(request) if not seat.decides]
    assert all(a.user_id != b.user_id for a, b in combinations(seats, 2))
    if approval_of(request).status == "pending":
        assert can_be_decided(request) or "approval_without_approver" in open_incidents(request)


STORY = {
    "first": levels("one"),
    "second": levels("two"),
    "apart": st.sampled_from([[], ["distinct_levels"], ["not_requester"]]),
    "fallback": st.sampled_from(["administrator", "nobody"]),
    "happened": st.lists(moves, max_size=8),
}


def live_through(
    *, first: Json, second: Json, apart: list[str], fallback: str, happened: list[tuple[str, ...]]
) -> None:
    """After every move and sweep the request is looked at; a second sweep seats nobody. Everything is undone."""
    with transaction.atomic():
        make_sla()
        make_team("it", make_person("worker"))
        for place, name in enumerate(NAMES):
            make_person(name, roles=[ROLES[place % 2]])
        make_person("administrator", roles=["administrator"])
        rule = {"separation": apart, "fallback": [{"role": fallback}]}
        request = ask(User.objects.get(username="p0"), first, second, **rule)
        for move in happened:
            make(move, request)
            run_sweeps()
            check(request)
            seated = Seat.objects.count()
            run_sweeps()
            assert Seat.objects.count() == seated
        transaction.set_rollback(True)


@settings(max_examples=15)
@given(**STORY)
def test_no_approval_ever_waits_for_nobody_unseen(**story):
    live_through(**story)


@pytest.mark.long
@pytest.mark.timeout(1800)
@settings(max_examples=100)
@given(**STORY)
def test_no_approval_ever_waits_for_nobody_unseen_in_many_stories(**story):
    live_through(**story)
