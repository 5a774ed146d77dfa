"""Who sits at a level: named by its rules, their deputies, duties kept apart, and the fallback if that does not do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from apps.accounts.models import User
from apps.accounts.selectors import manager_of
from apps.accounts.stand_ins import stand_ins
from apps.approvals.models import Approval, Decision, Seat
from apps.approvals.policies import has_answer
from apps.approvals.quorum import Level, Place, Policy, Vote, tally
from apps.approvals.selectors import Approver, Concerned, Rule, places_of, resolve_approvers, votes_of
from apps.workflows.engine.guards import GuardFailed

NOT_REQUESTER, NOT_LAST_EDITOR = "not_requester", "not_last_editor"
DISTINCT_LEVELS, DISTINCT_TEAMS = "distinct_levels", "distinct_teams"


@dataclass(kw_only=True)
class Slate:
    """Who sits, and what an operator must know: rules that failed, seats that separation of duties emptied.

    `lost` are the ids of people who are away with nobody there for them (their deputies run in a circle).
    """

    people: list[Approver] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    emptied: list[str] = field(default_factory=list)
    lost: set[int] = field(default_factory=set)
    falls_back: bool = False
    is_answerable: bool = True


def slate_of(approval: Approval, level: Level, policy: Policy, people: Concerned) -> Slate:
    """The people of a level as things are now; those of the fallback too where the level could not be approved."""
    return seated(level, policy, people, Apart.of(approval, policy, people))


def seated(level: Level, policy: Policy, people: Concerned, apart: Apart) -> Slate:
    """The same where there is no round to read: `apart` says whose duties are kept apart."""
    slate = Slate()
    _sit(slate, _named(slate, level, people), apart, people)
    able = [one for one in slate.people if one.named.pk not in slate.lost]
    if can_be_approved(level, slate.people, able):
        return slate
    slate.falls_back = True
    more = fallback_of(policy, level, apart, people, seated=able)
    slate.people = [*able, *more] if more else slate.people
    slate.is_answerable = can_be_approved(level, slate.people, [*able, *more])
    return slate


def fallback_of(
    policy: Policy, level: Level, apart: Apart, people: Concerned, *, seated: Sequence[Approver]
) -> list[Approver]:
    """The people of the policy's fallback who do not sit yet; they count in every sign-off group."""
    groups = frozenset(group.id for group in level.rule.groups)
    slate, sitting = Slate(), {one.user.pk for one in seated}
    _sit(slate, [replace(one, groups=groups) for one in resolve(slate, policy.fallback, people)], apart, people)
    return [one for one in slate.people if one.user.pk not in sitting and one.named.pk not in slate.lost]


def deciders_of(
    slate: Slate, rules: Sequence[Rule], policy: Policy, level: Level, apart: Apart, people: Concerned
) -> list[Approver]:
    """Whom these rules (of a chair, of an escalation) name, as those who settle the level; else the fallback."""
    _sit(slate, resolve(slate, rules, people), apart, people)
    found = [one for one in slate.people if one.named.pk not in slate.lost]
    found = found or fallback_of(policy, level, apart, people, seated=())
    return [replace(one, decides=True) for one in found]


def chairs_of(level: Level, people: Concerned) -> list[User]:
    """Who has the chair of a level; nobody where it has none, or the rule that names them cannot be evaluated."""
    return [one.user for one in resolve(Slate(), [level.chair], people)] if level.chair else []


def resolve(slate: Slate, rules: Sequence[Rule], people: Concerned) -> list[Approver]:
    """Whom the rules name, each once; a rule that cannot be evaluated names nobody and is noted."""
    found: dict[int, Approver] = {}
    for rule in rules:
        try:
            for one in resolve_approvers([rule], people=people):
                found.setdefault(one.user.pk, one)
        except GuardFailed as failure:
            slate.failed.append(str(failure))
    return list(found.values())


def can_be_approved(level: Level, seats: Sequence[Approver], able: Sequence[Approver]) -> bool:
    """Whether a level of these people would be approved, or come to its chair, if all who are able said yes."""
    numbered = {id(one): number for number, one in enumerate(seats)}
    places = [Place(seat=numbered[id(one)], groups=one.groups, decides=one.decides) for one in seats]
    return _would_pass(level, places, (), [numbered[id(one)] for one in able if id(one) in numbered])


def still_can_be_approved(level: Level, seats: Sequence[Seat], able: Iterable[Seat]) -> bool:
    """The same for the seats of an open level with the answers given so far."""
    open_ones = [seat.pk for seat in able if not has_answer(seat)]
    return _would_pass(level, places_of(seats), votes_of(seats), open_ones)


def would_do(level: Level, seats: Sequence[Seat], more: Sequence[Approver]) -> bool:
    """Whether the level, with these seats, their answers and these people beside them, could still be approved."""
    asked = {f"more:{number}": one for number, one in enumerate(more)}
    places = [*places_of(seats), *(Place(seat=k, groups=one.groups, decides=one.decides) for k, one in asked.items())]
    return _would_pass(level, places, votes_of(seats), [*(seat.pk for seat in seats if not has_answer(seat)), *asked])


def is_short(level: Level, seats: Sequence[Seat]) -> bool:
    """Whether the level has too few seats to be approved at all, whatever they say: an operator must add some."""
    places = places_of(seats)
    return not _would_pass(level, places, (), [place.seat for place in places])


def _would_pass(level: Level, places: Sequence[Place], votes: Sequence[Vote], able: Iterable[str | int]) -> bool:
    if not places:
        return False
    deciders = {place.seat for place in places if place.decides}
    yes = [Vote(seat=seat, verdict="approve") for seat in able if not deciders or seat in deciders]
    reached = tally(level, places, [*votes, *yes])
    return reached.status == "approved" or (reached.reason == "tie" and reached.status == "pending")


def _named(slate: Slate, level: Level, people: Concerned) -> list[Approver]:
    """Whom the level's rules name, each once, with the sign-off groups they count in."""
    found = {one.user.pk: one for one in resolve(slate, level.approvers, people)}
    for group in level.rule.groups:
        for one in resolve(slate, group.approvers, people):
            known = found.setdefault(one.user.pk, one)
            found[one.user.pk] = replace(known, groups=known.groups | {group.id})
    return list(found.values())


def _sit(slate: Slate, named: Sequence[Approver], apart: Apart, people: Concerned) -> None:
    """Takes the people in: their deputies where they are away, none whose duties must be kept apart.

    Nobody acts on two seats of a level: who is away keeps the seat if their deputy sits already, or may not.
    """
    taken = {one.user.pk for one in named}
    away = [one.user for one in named if getattr(one.user, "is_away", False)] if people.cast is None else []
    found = stand_ins(away, scope=people.scope, at=people.at) if away else {}
    for one in named:
        stand_in = found.get(one.user.pk)
        seated = one
        if stand_in is not None and stand_in.deputy is None:
            slate.lost.add(one.user.pk)
        elif stand_in is not None and stand_in.deputy is not None and stand_in.deputy.pk not in taken:
            deputed = replace(one, user=stand_in.deputy, principal=one.user)
            seated = one if apart.why_not(deputed.user) else deputed
        breach = apart.why_not(seated.named)
        if not breach:
            taken.add(seated.user.pk)
            slate.people.append(seated)
            continue
        instead = _instead(seated, apart, people, taken)
        if instead:
            taken.add(instead.user.pk)
            slate.people.append(instead)
        elif apart.empties == "incident":
            slate.emptied.append(f"{seated.named.username}: {breach}")


def _instead(emptied: Approver, apart: Apart, people: Concerned, taken: set[int]) -> Approver | None:
    """The manager of somebody who may not sit, where the policy wants them and they may."""
    if apart.empties != "manager":
        return None
    manager = manager_of(emptied.named, at=people.at)
    if manager is None or manager.pk in taken or apart.why_not(manager):
        return None
    because = {**emptied.because, "instead_of": emptied.named.pk}
    return replace(emptied, user=manager, principal=None, because=because, through=None)


@dataclass(frozen=True, kw_only=True)
class Apart:
    """Separation of duties at a level: whom it keeps away, and what becomes of the seat."""

    rules: tuple[str, ...]
    empties: str
    people: Concerned
    earlier: frozenset[int] = frozenset()
    colleagues: frozenset[int] = frozenset()

    @classmethod
    def of(cls, approval: Approval, policy: Policy, people: Concerned) -> Apart:
        """As the policy wants it; reads the earlier answers of the round only where a rule needs them."""
        needed = {DISTINCT_LEVELS, DISTINCT_TEAMS} & set(policy.separation)
        return cls.after(_earlier(approval) if needed else frozenset(), policy, people)

    @classmethod
    def after(cls, earlier: frozenset[int], policy: Policy, people: Concerned) -> Apart:
        """The same, after these people (ids) have answered at earlier levels."""
        rules = policy.separation
        colleagues = _colleagues(earlier) if DISTINCT_TEAMS in rules and earlier else frozenset()
        return cls(
            rules=rules, empties=policy.separation_empties, people=people, earlier=earlier, colleagues=colleagues
        )

    def why_not(self, person: User) -> str | None:
        """Why the person may not answer at this level, as words; None if they may."""
        pk = person.pk
        for rule in self.rules:
            if rule == NOT_REQUESTER and pk in (self.people.requester.pk, self.people.requested_for.pk):
                return "the request is theirs"
            if rule == NOT_LAST_EDITOR and pk == self.people.edited_by:
                return "they changed the request last"
            if rule == DISTINCT_LEVELS and pk in self.earlier:
                return "they answered at an earlier level"
            if rule == DISTINCT_TEAMS and pk in self.colleagues:
                return "somebody of their team answered at an earlier level"
        return None


def rounds_of(approval: Approval) -> list[int]:
    """The ids of the round and of those it goes on from, whose answers still count."""
    found, current = [], approval if approval.pk else None
    while current is not None:
        found.append(current.pk)
        current = current.resumed
    return found


def _earlier(approval: Approval) -> frozenset[int]:
    """Who answered at earlier levels, and for whom."""
    rows = Decision.objects.filter(
        seat__level__approval__in=rounds_of(approval), seat__level__index__lt=approval.level, counted__isnull=True
    ).values_list("by_id", "seat__principal_id")
    return frozenset(pk for row in rows for pk in row if pk)


def _colleagues(people: frozenset[int]) -> frozenset[int]:
    """Everybody who shares a team with one of these people."""
    teams = User.objects.filter(pk__in=people).values("groups__team")
    found = User.objects.filter(groups__team__in=teams).values_list("pk", flat=True)
    return people | frozenset(found)
