"""Policies in the admin: fields over the document, the look before publishing, and publishing."""

import html as markup
import json
import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Permission
from django.http import HttpResponse, QueryDict
from django.test import Client
from hypothesis import assume, given
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.approvals.models import ApprovalPolicyVersion
from apps.approvals.policy_check import check_policy
from apps.core.models import canonical_json
from apps.outbox.models import Event
from apps.requests.admin.policy.entered import entered, own_problems, tidy
from apps.requests.admin.policy.forms import PolicyPart, page_of
from apps.requests.admin.policy.rows import document_from, rows_of, seconds_of
from apps.requests.models import CatalogItem
from tests.core.admin_pages import address, admin_client, said
from tests.factories import (
    FALLBACK,
    MANAGER_LEVEL,
    approval_document,
    make_item,
    make_person,
    make_request,
    make_team,
    make_workflow,
    row_counts,
)
from tests.factories.approvals import delegate

ADD = "/admin/approvals/approvalpolicyversion/add/"


class FormReader(HTMLParser):
    """What a browser would send of a page's form, without its buttons."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, str]] = []
        self.area: str | None = None
        self.text = ""
        self.select: str | None = None
        self.options: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "input" and given.get("name"):
            box = given.get("type") == "checkbox"
            if not box or "checked" in given:
                value = given.get("value", "on" if box else "")
                self.sent.append((given["name"], value if box else value.replace("\r", "").replace("\n", "")))
        elif tag == "textarea":
            self.area, self.text = given["name"], ""
        elif tag == "select":
            self.select, self.options = given["name"], []
        elif tag == "option":
            self.options.append((given.get("value", ""), "selected" in given))

    def handle_data(self, data: str) -> None:
        if self.area is not None:
            self.text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self.area is not None:
            text = self.text.replace("\r\n", "\n").replace("\r", "\n")
            self.sent.append((self.area, text.removeprefix("\n").replace("\n", "\r\n")))
            self.area = None
        elif tag == "select" and self.select is not None:
            chosen = [value for value, is_selected in self.options if is_selected]
            self.sent.append((self.select, (chosen or [value for value, _ in self.options[:1]])[0]))


def sent_by(html: str) -> QueryDict:
    reader = FormReader()
    reader.feed(html)
    return QueryDict(urlencode(reader.sent))


def policy_form(answer: HttpResponse) -> str:
    html = answer.content.decode()
    return html[html.index('<div class="sf-policy">') :]


def press(client: Client, answer: HttpResponse, button: str, **changes: str) -> HttpResponse:
    """Sends the page's form with some fields changed, by one of its buttons."""
    post = sent_by(policy_form(answer)).copy()
    for name, value in changes.items():
        post[name] = value
    return client.post(ADD, {**dict(post.lists()), "do": button})


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


# ------------------------------------------------------------------------------------ documents

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


# ------------------------------------------------------------------------------------ the pages

DOCUMENT: dict[str, Any] = {
    "levels": [
        MANAGER_LEVEL,
        {
            "id": "money",
            "name": "Budget",
            "when": "request.data.amount > 1000.0",
            "approvers": [
                {
                    "matrix": [
                        {"when": "request.data.amount > 10000.0", "approvers": [{"role": "director"}]},
                        {"otherwise": [{"person": "bea"}]},
                    ]
                }
            ],
            "rule": {"kind": "quorum", "n": 1},
            "deadline": {
                "business_seconds": 57600,
                "remind_at": [50, 80],
                "then": "escalate",
                "to": [{"role": "director"}],
            },
        },
    ],
    "separation": ["not_requester"],
    "fallback": FALLBACK,
    "return": "never",
}


@pytest.fixture
def client(db: None) -> Client:
    return admin_client(roles=["administrator"])[0]


@pytest.fixture
def people(db: None) -> dict[str, User]:
    boss = make_person("boss")
    found = {name: make_person(name, manager=boss) for name in ("ann", "bea", "dan")}
    make_person("dora", roles=["director"])
    make_team("it", boss)
    return {"boss": boss, **found}


def problems_in(answer: HttpResponse) -> list[str]:
    html = policy_form(answer)
    return [
        markup.unescape(re.sub(r"<[^>]+>", "", one)) for one in re.findall(r'class="sf-problem"[^>]*>(.*?)</p>', html)
    ]


def text_of(answer: HttpResponse) -> str:
    """The words of the page, without mark-up and with single spaces."""
    return " ".join(markup.unescape(re.sub(r"<[^>]+>", " ", policy_form(answer))).split())


def versions() -> list[tuple[str, int]]:
    return list(ApprovalPolicyVersion.objects.order_by("key", "n").values_list("key", "n"))


def begin(client: Client, document: Any = None, key: str = "board") -> HttpResponse:
    """The fields of a new version of a policy that is there."""
    version = ApprovalPolicyVersion.freeze(key, document or DOCUMENT)
    return client.get(f"{ADD}?base={version.pk}")


def test_a_new_policy_begins_with_one_level_that_can_be_published_as_it_is(client: Client) -> None:
    page = client.get(ADD)
    answer = press(client, press(client, page, "look", key="board"), "publish")
    assert versions() == [("board", 1)]
    version = ApprovalPolicyVersion.objects.get()
    assert version.document == {
        "separation": ["not_requester"],
        "levels": [
            {"id": "manager", "name": "Manager", "approvers": [{"manager_of": "requester"}], "rule": {"kind": "any"}}
        ],
    }
    assert version.created_by == f"user:{User.objects.get(username='ada').pk}"
    assert answer["Location"] == address(ApprovalPolicyVersion, "change", version.pk)


def test_publishing_through_the_fields_makes_one_version_with_what_was_entered(
    client: Client, people: dict[str, User]
) -> None:
    page = begin(client)
    looked = press(
        client,
        page,
        "look",
        **{"levels-1-rule_kind": "all", "levels-0-approvers-1-kind": "person", "levels-0-approvers-1-value": "dan"},
    )
    assert versions() == [("board", 1)]
    press(client, looked, "publish")
    assert versions() == [("board", 1), ("board", 2)]
    first, second = DOCUMENT["levels"]
    assert ApprovalPolicyVersion.objects.get(n=2).document == {
        **DOCUMENT,
        "levels": [
            {**first, "approvers": [*first["approvers"], {"person": "dan"}]},
            {**second, "rule": {"kind": "all"}},
        ],
    }


def test_publishing_twice_makes_one_version(client: Client, people: dict[str, User]) -> None:
    looked = press(client, begin(client), "look", **{"levels-0-comment": "on_any"})
    press(client, looked, "publish")
    again = press(client, looked, "publish")
    assert versions() == [("board", 1), ("board", 2)]
    assert said(client.get(again["Location"]))[-1] == "board v2 says the same already: nothing was published."


def test_what_somebody_else_published_meanwhile_is_not_written_over(client: Client, people: dict[str, User]) -> None:
    looked = press(client, begin(client), "look", **{"levels-0-comment": "on_any"})
    ApprovalPolicyVersion.freeze("board", {**DOCUMENT, "earlier_answers": "count"})
    answer = press(client, looked, "publish")
    assert said(answer)[-1].startswith("Nothing was published. There is board v2 already")
    assert 'value="publish"' not in policy_form(answer)
    assert versions() == [("board", 1), ("board", 2)]
    assert json.loads(sent_by(policy_form(answer))["document"])["levels"][0]["comment"] == "on_any"


def test_the_button_of_an_older_version_begins_with_the_newest(client: Client) -> None:
    old = ApprovalPolicyVersion.freeze("board", {"levels": [MANAGER_LEVEL]})
    newest = ApprovalPolicyVersion.freeze("board", DOCUMENT)
    change = address(ApprovalPolicyVersion, "change", old.pk)
    assert client.get(f"{change.removesuffix('change/')}new-version/")["Location"] == f"{ADD}?base={newest.pk}"


def test_a_new_policy_with_a_key_that_is_taken_is_sent_to_the_one_that_is_there(client: Client) -> None:
    begin(client)
    looked = press(client, client.get(ADD), "look", key="board")
    assert "There is board v1 already, with which this did not begin" in text_of(looked)
    press(client, looked, "publish")
    assert versions() == [("board", 1)]


# refusals

REFUSED = [
    ({"levels-0-id": "Not An Id"}, "levels-0-id", "must be a short name"),
    ({"levels-0-approvers-0-value": "nobody"}, "levels-0-approvers-0-value", "must be one of requester"),
    ({"levels-1-rule_number": "two"}, "levels-1-rule_number", "must be a whole number from 1 to 200"),
    ({"levels-1-deadline_hours": "soon"}, "levels-1-deadline_hours", "such as 16, 1.5 or 0:30"),
    ({"levels-1-deadline_remind_at": "50, 50"}, "levels-1-deadline_remind_at", "50 is there twice"),
    ({"levels-1-deadline_then": "return"}, "levels-1-deadline_then", "contradicts"),
    ({"levels-1-to-0-kind": ""}, "levels-1-to-0-kind", "Choose what the value names."),
    ({"levels-1-approvers-0-value": "{"}, "levels-1-approvers-0-value", "Line 1, column 2"),
    ({"levels-1-expert": '{"colour": 1}'}, "levels-1-expert", "is an unknown key"),
    ({"levels-1-expert": '{"name": "Twice"}'}, "levels-1-expert", "stands here and in the fields"),
    ({"levels-1-when": "request.numbr == 'x'"}, "levels-1-when", "There is no request.numbr"),
    ({"levels-0-chair-kind": "person"}, "levels-0-chair-value", "must be text"),
    ({"return": "sometimes"}, "return", "must be one of restart, resume, never"),
    ({"earlier_answers": "count", "separation": "distinct_levels"}, "earlier_answers", "contradicts"),
    ({"fallback-0-value": ""}, "fallback-0-value", "must be text"),
]


@pytest.mark.parametrize(("entered_by_hand", "field", "words"), REFUSED)
def test_a_problem_stands_beside_its_field_and_what_was_entered_stays(
    client: Client, people: dict[str, User], entered_by_hand: dict[str, str], field: str, words: str
) -> None:
    answer = press(client, begin(client), "look", **entered_by_hand)
    assert list(answer.context["errors"]) == [field]
    assert words in " ".join(answer.context["errors"][field])
    assert len(problems_in(answer)) == len(answer.context["errors"][field])
    kept = sent_by(policy_form(answer))
    for name, value in entered_by_hand.items():
        if name != "return":
            assert kept[name] == value
    assert versions() == [("board", 1)]


def test_what_a_published_workflow_could_not_use_is_said_at_its_level(client: Client, people: dict[str, User]) -> None:
    make_flow()
    answer = press(client, begin(client, NAMED), "look", **{"levels-0-when": "request.data.amonut > 1.0"})
    assert list(answer.context["errors"]) == ["levels-0-when"]
    assert "workflows/flow/ask: Step 'ask', policy 'board', levels/0/when" in problems_in(answer)[0]
    answer = press(client, begin(client, NAMED), "look", **{"levels-0-approvers-0-value": "gone"})
    assert list(answer.context["errors"]) == ["levels-0-approvers"]
    assert versions() == [("board", 1)]


def test_what_may_be_left_empty_is_filled_in(client: Client) -> None:
    changes = {"levels-0-name": "Head of IT", "levels-0-id": "", "levels-0-approvers-0-value": ""}
    press(client, press(client, client.get(ADD), "look", key="board", **changes), "publish")
    (level,) = ApprovalPolicyVersion.objects.get().document["levels"]
    assert (level["id"], level["approvers"]) == ("head-of-it", [{"manager_of": "requester"}])


def test_a_key_that_is_none_is_refused_beside_it(client: Client) -> None:
    answer = press(client, client.get(ADD), "look", key="not a key")
    assert list(answer.context["errors"]) == ["key"]
    assert sent_by(policy_form(answer))["key"] == "not a key"


# rows without JavaScript


def test_levels_are_added_moved_and_removed_by_plain_buttons(client: Client) -> None:
    page = press(client, begin(client), "add:levels")
    assert sent_by(policy_form(page))["levels-count"] == "3"
    page = press(client, page, "up:levels-1", **{"levels-2-id": "third"})
    assert [sent_by(policy_form(page))[f"levels-{k}-id"] for k in range(3)] == ["money", "manager", "third"]
    page = press(client, page, "remove:levels-0")
    assert [sent_by(policy_form(page))[f"levels-{k}-id"] for k in range(2)] == ["manager", "third"]
    assert versions() == [("board", 1)]


@pytest.mark.parametrize(
    "button", ["remove:levels-99", "up:x", "add:levels-9-approvers", "down:", "remove:levels-0-x-1", "dance"]
)
def test_a_button_that_means_nothing_changes_nothing(client: Client, people: dict[str, User], button: str) -> None:
    page = begin(client)
    answer = press(client, page, button)
    assert answer.status_code == 200
    assert versions() == [("board", 1)]


# JSON


def test_the_json_of_what_was_entered_leads_back_to_the_fields(client: Client) -> None:
    page = press(client, begin(client), "json", **{"levels-0-name": "Boss"})
    document = json.loads(sent_by(policy_form(page))["document"])
    assert document == {**DOCUMENT, "levels": [{**MANAGER_LEVEL, "name": "Boss"}, DOCUMENT["levels"][1]]}
    assert sent_by(policy_form(press(client, page, "fields")))["levels-0-name"] == "Boss"


@pytest.mark.parametrize(
    ("text", "problem"),
    [("{", "Line 1, column 2"), ("[]", "An approval policy is an object"), ('{"levels": []}', "levels: The policy")],
)
def test_json_that_is_refused_stays_as_it_was_typed(client: Client, text: str, problem: str) -> None:
    page = client.get(f"{ADD}?as=json")
    answer = press(client, page, "look", key="board", document=text)
    assert problem in text_of(answer)
    assert sent_by(policy_form(answer))["document"] == text
    assert versions() == []


# the look


NAMED = {"levels": [{"id": "first", "approvers": [{"person": "bea"}], "rule": {"kind": "any"}}], "return": "never"}


def make_flow() -> CatalogItem:
    """An item with a published workflow that names the policy `board`."""
    ApprovalPolicyVersion.freeze("board", NAMED)
    document = approval_document("flow")
    ask = {"id": "ask", "kind": "approval", "name": "Ask", "policy_ref": "board"}
    document = {
        **document,
        "stages": [],
        "steps": [
            {"id": "start", "kind": "start"},
            ask,
            {"id": "yes", "kind": "end", "outcome": "completed"},
            {"id": "no", "kind": "end", "outcome": "rejected"},
        ],
        "transitions": [
            {"from": "start", "to": "ask"},
            {"from": "ask", "to": "yes", "outcome": "approved"},
            {"from": "ask", "to": "no", "outcome": "rejected"},
        ],
    }
    return make_item(workflow=make_workflow(document))


def look_for(client: Client, document: Any, requester: str, **sample: str) -> HttpResponse:
    """The look at a document for a described request."""
    page = client.get(f"{ADD}?as=json")
    looked = press(client, page, "look", key="board", document=json.dumps(document))
    return press(client, looked, "look", sample="own", requester=requester, **sample)


def test_the_look_says_who_would_be_asked_and_why(client: Client, people: dict[str, User]) -> None:
    make_item()
    many = '{"amount": {"amount": "2000.00", "currency": "EUR"}, "reason": "x"}'
    text = text_of(look_for(client, DOCUMENT, "ann", item="thing", values=many))
    assert "1. Line manager Boss – manager of the requester" in text
    assert "2. Budget Bea – named by the policy" in text


def test_a_level_that_does_not_apply_is_shown_with_its_guard(client: Client, people: dict[str, User]) -> None:
    make_item()
    few = '{"amount": {"amount": "5.00", "currency": "EUR"}, "reason": "x"}'
    text = text_of(look_for(client, DOCUMENT, "ann", item="thing", values=few))
    assert "2. Budget Skipped, for its guard does not hold: request.data.amount > 1000.0" in text


def test_the_look_says_who_stands_in_and_who_is_left_out(client: Client, people: dict[str, User]) -> None:
    delegate(people["bea"], people["dan"])
    asked = [{"person": "ann"}, {"person": "bea"}]
    document = {
        "levels": [{"id": "one", "approvers": asked, "rule": {"kind": "any"}}],
        "separation": ["not_requester"],
    }
    text = text_of(look_for(client, document, "ann"))
    assert "1. one Dan for Bea, who is away – named by the policy Left out: Ann , for the request is theirs." in text


def test_the_look_says_when_the_fallback_is_asked_and_when_nobody_is(client: Client, people: dict[str, User]) -> None:
    document = {"levels": [{"id": "one", "approvers": [{"role": "nobody"}], "rule": {"kind": "any"}}]}
    answer = look_for(client, document, "ann")
    assert '<p class="sf-bad">Nobody would be asked: the request waits for an operator.</p>' in answer.content.decode()
    text = text_of(look_for(client, {**document, "fallback": [{"person": "bea"}]}, "ann"))
    assert "Too few of those named can answer: the fallback is asked. Bea (fallback) – named by the policy" in text


def test_an_earlier_answer_is_said_where_it_would_matter(client: Client, people: dict[str, User]) -> None:
    level = {"approvers": [{"person": "bea"}], "rule": {"kind": "any"}}
    document = {"levels": [{"id": "one", **level}, {"id": "two", **level}], "separation": ["distinct_levels"]}
    assert "2. two Bea – named by the policy; left out if they answer at “one”" in text_of(
        look_for(client, document, "ann")
    )


def test_without_any_request_the_look_says_what_to_do(client: Client) -> None:
    text = text_of(press(client, begin(client, NAMED), "look"))
    assert "There is no request to try it with yet. Describe one below" in text
    assert "None: no published workflow names “board” yet." in text


def test_a_sample_that_makes_no_sense_is_refused_in_words(client: Client, people: dict[str, User]) -> None:
    assert "There is no active person with this user name." in problems_in(look_for(client, NAMED, "zoe"))[0]
    assert "Line 1, column 2" in problems_in(look_for(client, NAMED, "ann", values="{"))[0]
    assert problems_in(look_for(client, NAMED, " ")) == ["Say who asks."]


def test_the_look_at_a_real_request_writes_nothing_and_names_what_is_touched(
    client: Client, people: dict[str, User]
) -> None:
    request = make_request(make_flow(), people["ann"])
    before, events = row_counts(), Event.objects.count()
    page = client.get(f"{ADD}?base={ApprovalPolicyVersion.objects.get().pk}")
    text = text_of(press(client, page, "look", **{"levels-0-comment": "on_any"}))
    assert f"If {request} came to this approval now." in text
    assert "Flow v1 Ask 1 (1 on board v1)" in text
    assert "Publish as board v2" in text
    assert (row_counts(), Event.objects.count(), versions()) == (before, events, [("board", 1)])


# rights


def staff(*rights: str) -> Client:
    person = make_person("staff", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=rights, content_type__app_label="approvals"))
    client = Client()
    client.force_login(person)
    return client


def test_who_may_only_look_at_policies_neither_tries_nor_publishes(db: None) -> None:
    client = staff("view_approvalpolicyversion")
    for sent in ({"do": "look"}, {"do": "publish", "step": "look", "key": "board", "document": json.dumps(NAMED)}):
        assert client.post(ADD, sent).status_code == 403
    assert client.get(ADD).status_code == 403
    assert versions() == []


def test_who_may_add_policies_publishes_and_sees_no_request_of_others(people: dict[str, User]) -> None:
    make_request(make_flow(), people["ann"], title="Secret")
    client = staff("add_approvalpolicyversion", "view_approvalpolicyversion")
    page = client.get(f"{ADD}?base={ApprovalPolicyVersion.objects.get().pk}")
    looked = press(client, page, "look", **{"levels-0-comment": "on_any"})
    assert "Secret" not in looked.content.decode()
    press(client, looked, "publish")
    assert versions() == [("board", 1), ("board", 2)]
