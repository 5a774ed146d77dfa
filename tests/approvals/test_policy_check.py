"""What a policy may not say: each refusal with its place, and with words that name the level and the key."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.approvals import policy_check
from apps.approvals.documents import parse_policy
from apps.approvals.policy_check import check_policy
from apps.core.errors import BrokenDocument

Json = Any

POLICY: Json = {
    "levels": [
        {
            "id": "line",
            "name": "Line manager",
            "approvers": [{"manager_of": "requester", "up": 2}],
            "rule": {"kind": "any"},
            "deadline": {"business_seconds": 3600, "remind_at": [50], "then": "escalate", "to": [{"role": "board"}]},
        },
        {
            "id": "sign",
            "approvers": [{"person": "anna"}, {"person": "ben"}],
            "rule": {
                "kind": "per_group",
                "groups": [
                    {"id": "law", "approvers": [{"team": "law"}]},
                    {"id": "money", "approvers": [{"role": "m"}]},
                ],
            },
            "reject": {"kind": "per_group", "groups": [{"id": "law"}]},
            "chair": {"person": "carol"},
            "reauthenticate": {"meaning": "I reviewed it"},
        },
    ],
    "separation": ["not_requester"],
    "return": "resume",
    "matters": ["amount"],
    "fallback": [{"role": "administrator"}],
}
GONE = object()
BOARD = [{"role": "board"}]
OTHERWISE = {"otherwise": BOARD}
ROWS = "levels.0.approvers.0.matrix"
RULE, REJECT, APPROVERS, GROUPS = "levels.0.rule", "levels.0.reject", "levels.0.approvers", "levels.1.rule.groups"
DEADLINE, UP = "levels.0.deadline", "levels.0.approvers.0.up"
UNKNOWN = "is an unknown key"
A_RULE = 'must be an object such as {"kind": "any"}'
A_KIND = "must be one of any, all, majority, quorum, percent, per_group, all_then_any"
A_ROW = 'must be {"when", "approvers"} or, at the end, {"otherwise"}'
A_NAME = "must be a short name of lower-case letters, digits, “-” and “_”"
A_DEADLINE = 'must be an object such as {"business_seconds": 57600, "then": ...}'
A_SHARE = "must be a number above 0, of at most 100"
APPROVERS_WANTED, FIELDS_WANTED = "must be a list of 1 to 200 approvers", "must be a list of names of fields"
NO_SUCH_GROUP = "must name groups of the rule"
ONE_OF = "must hold objects with one of person, team, role, manager_of, manager_of_team, field, owner_of, cel"
WHO = {"levels.0": "Level “line”", "levels.1": "Level “sign”"}


def text(most: int) -> str:
    return f"must be text of 1 to {most} characters"


def whole(least: int, most: int) -> str:
    return f"must be a whole number from {least} to {most}"


def changed(path: str, value: object) -> Json:
    """The policy with one place changed, or without it."""
    document = deepcopy(POLICY)
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = document
    for key in way:
        place = place[key]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return document


def quorum_of(n: object, *people: str) -> dict[str, Json]:
    return {"id": "q", "approvers": [{"person": person} for person in people], "rule": {"kind": "quorum", "n": n}}


def test_the_policy_of_these_tests_is_fine() -> None:
    assert check_policy(POLICY) == {}


# ------------------------------------------------------------------------------------ one wrong thing each


OF_THE_POLICY = [
    ("colour", "red", "colour", "colour", UNKNOWN),
    ("levels", [], "levels", "levels", "must be a list of 1 to 50 levels"),
    ("levels", GONE, "levels", "levels", "must be a list of 1 to 50 levels"),
    ("fallback", [], "fallback", "fallback", APPROVERS_WANTED),
    ("separation", "not_requester", "separation", "separation", "must be a list"),
    ("separation_empties", "no", "separation_empties", "separation_empties", "must be one of skip, manager, incident"),
    ("earlier_answers", True, "earlier_answers", "earlier_answers", "must be one of ask, count"),
    ("matters", "amount", "matters", "matters", FIELDS_WANTED),
    ("matters", [""], "matters", "matters", FIELDS_WANTED),
    ("return", "restart", "matters", "matters", 'only has a meaning with "return": "resume"'),
]
OF_A_LEVEL = [
    ("levels.0.colour", "red", "levels.0.colour", "colour", UNKNOWN),
    ("levels.0.name", "", "levels.0.name", "name", text(200)),
    ("levels.0.name", "x" * 201, "levels.0.name", "name", text(200)),
    ("levels.0.when", True, "levels.0.when", "when", text(2000)),
    ("levels.0.comment", "always", "levels.0.comment", "comment", "must be one of on_reject, on_any, never"),
    ("levels.0.abstain", 1, "levels.0.abstain", "abstain", "must be true or false"),
    ("levels.1.reauthenticate", {}, "levels.1.reauthenticate.meaning", "meaning", text(500)),
    ("levels.1.reauthenticate.pin", True, "levels.1.reauthenticate.pin", "pin", UNKNOWN),
    (
        "levels.1.reauthenticate",
        True,
        "levels.1.reauthenticate",
        "reauthenticate",
        'must be an object such as {"meaning": "I reviewed it"}',
    ),
]
OF_A_RULE = [
    (RULE, "any", RULE, "rule", A_RULE),
    (RULE, GONE, RULE, "rule", A_RULE),
    (RULE, {}, f"{RULE}.kind", "rule.kind", A_KIND),
    (RULE, {"kind": "coin"}, f"{RULE}.kind", "rule.kind", A_KIND),
    (RULE, {"kind": ["any"]}, f"{RULE}.kind", "rule.kind", A_KIND),
    (RULE, {"kind": "any", "n": 2}, f"{RULE}.n", "n", UNKNOWN),
    (RULE, {"kind": "percent", "p": 5, "n": 2}, f"{RULE}.n", "n", UNKNOWN),
    (RULE, {"kind": "quorum"}, f"{RULE}.n", "rule.n", whole(1, 200)),
    (RULE, {"kind": "percent"}, f"{RULE}.p", "rule.p", A_SHARE),
    *[
        (RULE, {"kind": "percent", "p": p}, f"{RULE}.p", "rule.p", A_SHARE)
        for p in (0, -1, 100.5, 101, True, "5", None)
    ],
    *[
        (RULE, {"kind": "quorum", "n": n}, f"{RULE}.n", "rule.n", whole(1, 200))
        for n in (0, -1, 201, 2.0, True, "2", None)
    ],
    (REJECT, {"kind": "coin"}, f"{REJECT}.kind", "reject.kind", A_KIND),
    (REJECT, {"kind": "all_then_any"}, f"{REJECT}.kind", "reject.kind", "cannot be all_then_any"),
    (REJECT, {"kind": "per_group", "groups": [{"id": "law"}]}, f"{REJECT}.groups", "reject.groups", NO_SUCH_GROUP),
    ("levels.1.reject.groups", [{"id": "hr"}], "levels.1.reject.groups", "reject.groups", NO_SUCH_GROUP),
    ("levels.1.reject.groups.0.approvers", BOARD, "levels.1.reject.groups.0.approvers", "approvers", UNKNOWN),
]
OF_GROUPS = [
    (RULE, {"kind": "per_group", "groups": []}, f"{RULE}.groups", "rule.groups", "must be a list of 1 to 50 groups"),
    (f"{GROUPS}.1.id", "law", f"{GROUPS}.1.id", "rule.groups.id", "must be a short name that no other group has"),
    (f"{GROUPS}.1", "money", f"{GROUPS}.1", "rule.groups", "must hold objects with id, approvers and n"),
    (f"{GROUPS}.1.n", 0, f"{GROUPS}.1.n", "rule.groups.n", whole(1, 200)),
    (f"{GROUPS}.1.n", True, f"{GROUPS}.1.n", "rule.groups.n", whole(1, 200)),
    (f"{GROUPS}.1.p", 1, f"{GROUPS}.1.p", "p", UNKNOWN),
    (f"{GROUPS}.1.approvers", [], f"{GROUPS}.1.approvers", "rule.groups.approvers", APPROVERS_WANTED),
]
OF_PEOPLE = [
    (APPROVERS, [], APPROVERS, "approvers", APPROVERS_WANTED),
    (APPROVERS, GONE, APPROVERS, "approvers", APPROVERS_WANTED),
    (APPROVERS, BOARD * 201, APPROVERS, "approvers", APPROVERS_WANTED),
    *[(UP, up, UP, "up", whole(1, 5)) for up in (0, 6, 1.0, True, None)],
    (APPROVERS, [{"role": "a", "up": 1}], UP, "up", UNKNOWN),
    ("levels.1.chair.up", 1, "levels.1.chair.up", "up", UNKNOWN),
    (
        f"{APPROVERS}.0.manager_of",
        "anna",
        f"{APPROVERS}.0.manager_of",
        "manager_of",
        "must be one of requester, requested_for",
    ),
    *[
        (APPROVERS, [{kind: name}], f"{APPROVERS}.0.{kind}", kind, text(2000 if kind == "cel" else 200))
        for kind in ("person", "team", "role", "manager_of_team", "field", "owner_of", "cel")
        for name in (7, "", None, ["x"])
    ],
]
OF_A_MATRIX = [
    ([], ROWS, "matrix", "must be a list of 1 to 50 rows"),
    (BOARD, f"{ROWS}.0", "matrix row 1", A_ROW),
    (
        [{"when": "true", "approvers": BOARD}],
        ROWS,
        "matrix",
        "has a hole: its last row must say whom to ask otherwise",
    ),
    ([{"approvers": BOARD}, OTHERWISE], f"{ROWS}.0", "matrix row 1", A_ROW),
    ([{"when": "true", "otherwise": BOARD}], f"{ROWS}.0", "matrix row 1", A_ROW),
    ([OTHERWISE, OTHERWISE], f"{ROWS}.0", "matrix row 1", "says otherwise: the rows below it are never reached"),
    ([{"when": 1, "approvers": BOARD}, OTHERWISE], f"{ROWS}.0.when", "matrix row 1", text(2000)),
    ([{"when": "true"}, OTHERWISE], f"{ROWS}.0.approvers", "matrix row 1", APPROVERS_WANTED),
    ([{"when": "true", "approvers": BOARD, "n": 1}, OTHERWISE], f"{ROWS}.0.n", "n", UNKNOWN),
    ([{"otherwise": []}], f"{ROWS}.0.otherwise", "matrix row 1", APPROVERS_WANTED),
]
OF_A_DEADLINE = [
    (DEADLINE, 3600, DEADLINE, "deadline", A_DEADLINE),
    (f"{DEADLINE}.after", 1, f"{DEADLINE}.after", "after", UNKNOWN),
    (
        f"{DEADLINE}.then",
        "wait",
        f"{DEADLINE}.then",
        "then",
        "must be one of escalate, approve, reject, return, expire",
    ),
    (f"{DEADLINE}.to", GONE, f"{DEADLINE}.to", "to", APPROVERS_WANTED),
    (f"{DEADLINE}.to", [], f"{DEADLINE}.to", "to", APPROVERS_WANTED),
    (f"{DEADLINE}.then", "approve", f"{DEADLINE}.to", "to", 'only has a meaning with "then": "escalate"'),
    *[
        (
            f"{DEADLINE}.business_seconds",
            seconds,
            f"{DEADLINE}.business_seconds",
            "business_seconds",
            whole(1, 34560000),
        )
        for seconds in (0, -5, 34560001, 1.5, True, "60", None)
    ],
    *[
        (f"{DEADLINE}.remind_at", [percent], f"{DEADLINE}.remind_at.0", "remind_at", whole(1, 99))
        for percent in (0, 100, -1, 12.5, True, "50", None)
    ],
    (f"{DEADLINE}.remind_at", [50, 80, 50], f"{DEADLINE}.remind_at.2", "remind_at", "50 is there twice"),
    (f"{DEADLINE}.remind_at", 50, f"{DEADLINE}.remind_at", "remind_at", "must be a list of at most 20 percentages"),
    (f"{DEADLINE}.calendar", 7, f"{DEADLINE}.calendar", "calendar", text(80)),
]


@pytest.mark.parametrize(
    ("path", "value", "place", "key", "what"),
    [
        *OF_THE_POLICY,
        *OF_A_LEVEL,
        *OF_A_RULE,
        *OF_GROUPS,
        *OF_PEOPLE,
        *[(APPROVERS, [{"matrix": rows}], *found) for rows, *found in OF_A_MATRIX],
        *OF_A_DEADLINE,
    ],
)
def test_a_refusal_names_the_place_the_level_and_the_key(
    path: str, value: Json, place: str, key: str, what: str
) -> None:
    who = WHO.get(path[:8], "The policy")
    assert check_policy(changed(path, value)) == {place: [f"{who}: “{key}” {what}."]}


def test_a_level_needs_an_id_of_its_own_and_is_named_by_its_number_without() -> None:
    for value in ("No id", GONE, 3, "x" * 81):
        assert check_policy(changed("levels.0.id", value)) == {"levels.0.id": [f"Level 1: “id” {A_NAME}."]}
    assert check_policy(changed("levels.1.id", "line")) == {"levels.1.id": ["Level “line”: “id” is there twice."]}
    assert check_policy(changed("levels.0", "line")) == {"levels.0": ["Level 1: “levels” must hold objects."]}


def test_a_duty_that_is_not_known_is_named() -> None:
    known = "not_requester, distinct_levels, not_last_editor, distinct_teams"
    assert check_policy(changed("separation", ["whatever", "not_requester"])) == {
        "separation": [f"The policy: “separation” whatever is unknown: there are {known}."]
    }


@pytest.mark.parametrize(
    ("level", "place", "what"),
    [
        (quorum_of(3, "anna", "ben"), "rule.n", "is 3, more than the 2 who are asked"),
        (quorum_of(2, "anna", "anna"), "rule.n", "is 2, more than the 1 who are asked"),
        (
            {**quorum_of(1, "anna"), "reject": {"kind": "quorum", "n": 2}},
            "reject.n",
            "is 2, more than the 1 who are asked",
        ),
    ],
)
def test_a_quorum_above_those_who_are_named_one_by_one_is_refused(level: Json, place: str, what: str) -> None:
    assert check_policy({"levels": [level]}) == {f"levels.0.{place}": [f"Level “q”: “{place}” {what}."]}


def test_a_group_that_wants_more_people_than_it_names_is_refused() -> None:
    group = {"id": "money", "approvers": [{"person": "anna"}], "n": 2}
    message = "Level “sign”: “rule.groups.n” is 2, more than the 1 who are asked."
    assert check_policy(changed(f"{GROUPS}.1", group)) == {f"{GROUPS}.1.n": [message]}


@pytest.mark.parametrize(
    "approver", [{}, None, 3, "anna", [], {"role": "a", "team": "b"}, {"requester": True}, {"up": 1}]
)
def test_an_approver_is_named_in_exactly_one_way(approver: Json) -> None:
    assert check_policy(changed("levels.0.approvers", [approver])) == {
        "levels.0.approvers.0": [f"Level “line”: “approvers” {ONE_OF}, matrix."]
    }
    assert check_policy(changed("fallback", [approver])) == {
        "fallback.0": [f"The policy: “fallback” {ONE_OF}, matrix."]
    }
    assert check_policy(changed("levels.1.chair", approver)) == {"levels.1.chair": [f"Level “sign”: “chair” {ONE_OF}."]}


def test_a_matrix_holds_no_matrix_and_is_no_chair() -> None:
    inner = {"matrix": [{"otherwise": BOARD}]}
    found = check_policy(changed(APPROVERS, [{"matrix": [{"otherwise": [inner]}]}]))
    assert found == {f"{ROWS}.0.otherwise.0": [f"Level “line”: “matrix row 1” {ONE_OF}."]}
    assert list(check_policy(changed("levels.1.chair", inner))) == ["levels.1.chair"]


# ------------------------------------------------------------------------------------ contradictions


def test_where_nothing_is_sent_back_a_deadline_does_not_either() -> None:
    document = changed("levels.0.deadline", {"business_seconds": 60, "then": "return"})
    assert check_policy(document) == {}
    document |= {"return": "never"}
    assert check_policy(document) == {
        "matters": ['The policy: “matters” only has a meaning with "return": "resume".'],
        "levels.0.deadline.then": ['Level “line”: “then” return contradicts "return": "never" of the policy.'],
    }


@pytest.mark.parametrize("apart", ["distinct_levels", "distinct_teams"])
def test_an_earlier_answer_cannot_count_where_no_person_may_answer_twice(apart: str) -> None:
    document = changed("separation", [apart]) | {"earlier_answers": "count"}
    message = f"The policy: “earlier_answers” count contradicts the separation {apart}."
    assert check_policy(document) == {"earlier_answers": [message]}


def test_where_everybody_is_heard_there_is_no_reject_rule() -> None:
    level = {"id": "one", "approvers": BOARD, "rule": {"kind": "all_then_any"}, "reject": {"kind": "any"}}
    message = "Level “one”: “reject” has no meaning where everybody is heard (all_then_any)."
    assert check_policy({"levels": [level]}) == {"levels.0.reject": [message]}


def test_a_quorum_is_counted_only_where_every_person_is_named() -> None:
    for more in ({"role": "board"}, {"team": "it"}, {"field": "owner"}):
        level = quorum_of(3, "anna")
        level["approvers"].append(more)
        assert check_policy({"levels": [level]}) == {}


def test_everything_that_is_wrong_is_told_at_once() -> None:
    document = changed("levels.0.rule", {"kind": "coin"}) | {"colour": "red"}
    document["levels"][1]["approvers"] = []
    assert set(check_policy(document)) == {"colour", "levels.0.rule.kind", "levels.1.approvers"}


# ------------------------------------------------------------------------------------ any JSON at all


def _places(value: Json, path: str = "") -> list[str]:
    """Every place of a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [f"{path}.{key}".lstrip(".") for key, _ in inner]
    return found + [place for key, one in inner for place in _places(one, f"{path}.{key}".lstrip("."))]


@pytest.mark.parametrize("path", _places(POLICY))
def test_nothing_in_a_policy_may_be_null(path: str) -> None:
    assert check_policy(changed(path, None))


@pytest.mark.parametrize("path", _places(POLICY))
@pytest.mark.parametrize("value", [True, 3, 2.5, "", "x y", [], {}, [[]], [None], {"x": []}, [{"person": []}]])
def test_whatever_stands_at_a_place_the_check_answers(path: str, value: Json) -> None:
    problems = check_policy(changed(path, value))
    assert all(isinstance(place, str) and messages for place, messages in problems.items())


@pytest.mark.parametrize("nonsense", [None, 3, "policy", [], [[]], {"levels": {"id": 1}}, {"levels": [None]}])
def test_nonsense_is_refused_and_never_crashes(nonsense: object) -> None:
    with pytest.raises(BrokenDocument):
        parse_policy(nonsense)


WORDS = sorted(
    policy_check.POLICY_KEYS
    | policy_check.LEVEL_KEYS
    | policy_check.DEADLINE_KEYS
    | set(policy_check.APPROVERS)
    | {"kind", "n", "p", "groups", "up", "otherwise", "meaning"}
)
SAID = [*policy_check.RULES, *policy_check.RETURNS, *policy_check.THEN, "requester", "one", "two"]
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 300) | st.floats() | st.sampled_from(SAID) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=25,
)


@settings(max_examples=300, deadline=None)
@given(document=ANY_JSON, level=ANY_JSON, path=st.sampled_from(_places(POLICY)))
def test_whatever_json_it_is_given_the_check_answers(document: Json, level: Json, path: str) -> None:
    check_policy(document)
    check_policy({"levels": [level]})
    if not check_policy(changed(path, document)):
        parse_policy(changed(path, document))
