"""The pages of a policy as a browser walks through them."""

import html as markup
import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, QueryDict
from django.test import Client

from apps.approvals.models import ApprovalPolicyVersion
from apps.requests.models import CatalogItem
from tests.factories import FALLBACK, MANAGER_LEVEL, approval_document, make_item, make_workflow

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
