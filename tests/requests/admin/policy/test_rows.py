"""Fields over a document: what is accepted comes back as it was."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from apps.approvals.policy_check import check_policy
from apps.core.models import canonical_json
from apps.requests.admin.policy.entered import entered, own_problems, tidy
from apps.requests.admin.policy.forms import PolicyPart, page_of
from apps.requests.admin.policy.rows import document_from, rows_of, seconds_of
from tests.requests.admin.policy.pages import sent_by


def rendered(page: PolicyPart) -> str:
    """The fields of a page without what is around them."""
    parts = [str(bound) for bound in page.fields]
    listed = [page.fallback]
    for level in page.levels:
        parts += [str(bound) for form in (level.fields, level.chair) for bound in form]
        listed += [level.approvers, level.to, level.groups]
    for rows in listed:
        parts.append(f'<input name="{rows.name}-count" value="{rows.count}">')
        parts += [str(bound) for form in rows.rows for bound in form]
    return "".join([*parts, f'<input name="levels-count" value="{page.count}">'])


NAMES = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,8}", fullmatch=True)
TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n"), min_size=1, max_size=12
).filter(lambda text: bool(text.strip())) | st.sampled_from(
    ["a\nb", " x ", "\nfirst", "<b>&amp;\"'", "x\r\ny", "line\n"]
)
PLAIN = st.one_of(
    *[
        st.fixed_dictionaries({kind: TEXTS})
        for kind in ("person", "team", "role", "manager_of_team", "field", "owner_of", "cel")
    ],
    st.fixed_dictionaries(
        {"manager_of": st.sampled_from(["requester", "requested_for"])}, optional={"up": st.integers(1, 5)}
    ),
)
PLAINS = st.lists(PLAIN, min_size=1, max_size=3)
MATRIX = st.builds(
    lambda rows, last: {"matrix": [*rows, {"otherwise": last}]},
    st.lists(st.fixed_dictionaries({"when": TEXTS, "approvers": PLAINS}), max_size=2),
    PLAINS,
)
PEOPLE = st.lists(PLAIN | MATRIX, min_size=1, max_size=4)
PERCENT = st.integers(1, 100) | st.floats(min_value=0, max_value=100, exclude_min=True)
COUNTED = st.one_of(
    st.sampled_from([{"kind": kind} for kind in ("any", "all", "majority")]),
    st.fixed_dictionaries({"kind": st.just("quorum"), "n": st.integers(1, 200)}),
    st.fixed_dictionaries({"kind": st.just("percent"), "p": PERCENT}),
)
DEADLINE = st.one_of(
    *[
        st.fixed_dictionaries(
            {
                "business_seconds": st.integers(1, 34_560_000) | st.sampled_from([3600, 5400, 57600]),
                "then": st.just(then),
                **({"to": PEOPLE} if then == "escalate" else {}),
            },
            optional={"remind_at": st.lists(st.integers(1, 99), unique=True, max_size=4), "calendar": TEXTS},
        )
        for then in ("escalate", "approve", "reject", "return", "expire")
    ]
)


@st.composite
def grouped(draw: Any) -> dict[str, Any]:
    groups = draw(
        st.lists(
            st.fixed_dictionaries({"id": NAMES, "approvers": PEOPLE}, optional={"n": st.integers(1, 3)}),
            min_size=1,
            max_size=3,
            unique_by=lambda group: group["id"],
        )
    )
    found: dict[str, Any] = {"rule": {"kind": "per_group", "groups": groups}}
    if draw(st.booleans()):
        found["approvers"] = draw(PEOPLE)
    named = draw(st.lists(st.sampled_from([group["id"] for group in groups]), unique=True, max_size=3))
    if named:
        numbers = st.fixed_dictionaries({}, optional={"n": st.integers(1, 3)})
        found["reject"] = {"kind": "per_group", "groups": [{"id": name, **draw(numbers)} for name in named]}
    return found


@st.composite
def levels(draw: Any) -> list[dict[str, Any]]:
    found = []
    for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)):
        level = draw(
            st.one_of(
                grouped(),
                st.fixed_dictionaries({"approvers": PEOPLE, "rule": COUNTED}, optional={"reject": COUNTED}),
                st.fixed_dictionaries({"approvers": PEOPLE, "rule": st.just({"kind": "all_then_any"})}),
            )
        )
        more = draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "name": TEXTS,
                    "when": TEXTS,
                    "comment": st.sampled_from(["on_reject", "on_any", "never"]),
                    "abstain": st.booleans(),
                    "chair": PLAIN,
                    "reauthenticate": st.fixed_dictionaries({"meaning": TEXTS}),
                    "deadline": DEADLINE,
                },
            )
        )
        found.append({"id": name, **level, **more})
    return found


SEPARATION = st.lists(
    st.sampled_from(["not_requester", "distinct_levels", "not_last_editor", "distinct_teams"]), max_size=5
)
POLICIES = st.fixed_dictionaries(
    {"levels": levels()},
    optional={
        "return": st.sampled_from(["restart", "resume", "never"]),
        "separation": SEPARATION,
        "separation_empties": st.sampled_from(["skip", "manager", "incident"]),
        "earlier_answers": st.sampled_from(["ask", "count"]),
        "matters": st.lists(TEXTS, max_size=3),
        "fallback": PEOPLE,
    },
)


@given(document=POLICIES)
def test_every_policy_that_is_accepted_comes_back_from_the_fields_as_it_was(document: dict[str, Any]) -> None:
    assume(check_policy(document) == {})
    rows = entered(sent_by(rendered(page_of(rows_of(document), {}))))
    tidy(rows)
    assert own_problems(rows) == {}
    assert canonical_json(document_from(rows)) == canonical_json(document)


@pytest.mark.parametrize(
    ("hours", "seconds"),
    [("16", 57600), ("1.5", 5400), ("0,25", 900), ("0:01:40", 100), ("2:30", 9000), ("soon", "soon"), ("-1", "-1")],
)
def test_hours_are_read_as_people_write_them_and_what_is_none_stays(hours: str, seconds: object) -> None:
    assert seconds_of(hours) == seconds
