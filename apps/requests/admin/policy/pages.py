"""The pages of a new version of an approval policy: its fields, its JSON, and the look at what it would do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpResponse

from apps.accounts.admin import acting
from apps.approvals.models import ApprovalPolicyVersion
from apps.approvals.quorum import check_policy
from apps.core.admin_parts import as_text, problem_lines, read_document
from apps.core.errors import DomainError, InvalidInput, PreconditionFailed
from apps.core.models import KeyedVersion
from apps.requests.admin.making import Visit
from apps.requests.admin.policy.entered import (
    Errors,
    beside,
    changed,
    complete,
    entered,
    of_the_gate,
    own_problems,
    tidy,
)
from apps.requests.admin.policy.forms import page_of
from apps.requests.admin.policy.look import look_at
from apps.requests.admin.policy.rows import NEW_POLICY, Cannot, Row, document_from, rows_of, same
from apps.requests.services.reissuing import publish_policy, require_fitting_policy
from apps.workflows.services.publishing import lock_publishing

ORDER = (
    "id", "name", "when", "kind", "approvers", "levels", "rule", "reject", "chair", "deadline", "business_seconds",
)  # fmt: skip
TEMPLATES = "admin/approvals/approvalpolicyversion"
Document = Mapping[str, Any]


class PolicyPages(Visit):
    called = "approval policy"

    def answer(self) -> HttpResponse:
        if self.request.method != "POST":
            return self._begin()
        button, step = self.request.POST["do"], self.request.POST.get("step", "fields")
        if step == "fields":
            return self._of_fields(button)
        text = self.request.POST.get("document", "")
        try:
            document = read_document(text)
        except ValidationError as refused:
            return self.json_page(text, list(refused.messages))
        if button == "fields":
            return self._fields_of(document)
        if button == "json":
            return self.json_page(as_text(document, order=ORDER))
        return self._publish(document) if button == "publish" else self._look(document, as_json=step == "json")

    def _begin(self) -> HttpResponse:
        version = self.begin()
        document = version.document if version else NEW_POLICY
        if self.request.GET.get("as") == "json":
            return self.json_page(as_text(document, order=ORDER))
        return self._fields_of(document)

    def _fields_of(self, document: Any) -> HttpResponse:
        """The fields of a document; its JSON where they cannot hold it."""
        try:
            rows = rows_of(document)
            if not same(document_from(rows), document):
                raise Cannot("document")
        except Cannot:
            return self.json_page(as_text(document, order=ORDER), ["The fields cannot show this document."])
        return self.fields_page(rows)

    # -------------------------------------------------------------------- steps

    def _of_fields(self, button: str) -> HttpResponse:
        rows = entered(self.request.POST)
        if button.split(":")[0] in ("add", "remove", "up", "down"):
            return self.fields_page(rows, focus=changed(rows, button))
        tidy(rows)
        complete(rows)
        document, own = document_from(rows), own_problems(rows)
        if button == "json" and not own:
            return self.json_page(as_text(document, order=ORDER))
        errors = beside(check_policy(document), rows, own) | self._key_problems()
        if not errors:
            refused = self._refused_by_gate(document)
            errors = of_the_gate(refused.errors, rows) if refused else self._unfit_texts(document)
        return self.fields_page(rows, errors) if errors else self.look_page(document)

    def _look(self, document: Document, *, as_json: bool) -> HttpResponse:
        """The look at a document that comes as JSON; one that is refused stays as it was typed."""
        problems = problem_lines(check_policy(document) | self._key_problems())
        if not problems and (refused := self._refused_by_gate(document)):
            problems = problem_lines(refused.errors)
        if problems:
            text = self.request.POST["document"] if as_json else as_text(document, order=ORDER)
            return self.json_page(text, problems)
        return self.look_page(document)

    def _publish(self, document: Document) -> HttpResponse:
        problems = problem_lines(check_policy(document) | self._key_problems())
        if problems:
            return self.json_page(as_text(document, order=ORDER), problems)
        try:
            version, is_new = self._published(document)
        except InvalidInput as refused:
            return self.json_page(as_text(document, order=ORDER), problem_lines(refused.errors))
        except DomainError as refused:
            messages.error(self.request, refused.detail)
            return self.look_page(document)
        if is_new:
            self.admin.log_addition(self.request, version, [{"added": {}}])
            messages.success(self.request, f"{version} is published: requests submitted from now on are asked by it.")
        else:
            messages.info(self.request, f"{version} says the same already: nothing was published.")
        return self.to(version)

    @transaction.atomic
    def _published(self, document: Document) -> tuple[KeyedVersion, bool]:
        """The version, and whether it is new. Raises PreconditionFailed where somebody published another meanwhile."""
        lock_publishing()
        newest = self.newest
        if same := self.same_as(newest, document):
            return same, False
        if lack := self.out_of_date(newest):
            raise PreconditionFailed(f"Nothing was published. {lack}")
        return publish_policy(self.key, document, created_by=f"user:{acting(self.request).pk}"), True

    # -------------------------------------------------------------------- problems

    def _key_problems(self) -> Errors:
        field = ApprovalPolicyVersion._meta.get_field("key").formfield()
        assert field is not None
        try:
            field.clean(self.key)
        except ValidationError as refused:
            return {"key": list(refused.messages)}
        return {}

    def _refused_by_gate(self, document: Document) -> InvalidInput | None:
        try:
            with transaction.atomic():
                require_fitting_policy(self.key, document)
        except InvalidInput as refused:
            return refused
        return None

    def _unfit_texts(self, document: Document) -> Errors:
        """What no stored document may hold (control characters, half characters)."""
        try:
            read_document(json.dumps(document))
        except ValidationError as refused:
            return {"": list(refused.messages)}
        return {}

    # -------------------------------------------------------------------- pages

    def fields_page(self, rows: Row, errors: Errors | None = None, focus: str = "") -> HttpResponse:
        found = errors or {}
        lacks = [message for name in ("", "key") for message in found.get(name, ())]
        page = page_of(rows, found)
        return self._page("fields", page=page, problems=lacks, errors=found, focus=focus)

    def json_page(self, text: str, problems: list[str] | None = None) -> HttpResponse:
        return self._page("json", text=text, problems=problems or [])

    def look_page(self, document: Document) -> HttpResponse:
        look = look_at(document, key=self.key, sent=self.request.POST, actor=acting(self.request))
        newest = self.newest
        said = {"same_as": self.same_as(newest, document), "out_of_date": self.out_of_date(newest)}
        return self._page("look", newest, document=as_text(document, order=ORDER), look=look, **said)

    def _page(self, name: str, newest: KeyedVersion | None = None, **context: Any) -> HttpResponse:
        return self.page(f"{TEMPLATES}/{name}.html", newest, step=name, **context)
