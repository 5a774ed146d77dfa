"""The frame of the pages on which a new version of a policy is made: entered, looked at, published.

Every button sends the whole page; nothing is stored before "publish".
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.decorators import action

from apps.core.admin import KeyedVersionAdmin
from apps.core.models import KeyedVersion, digest


class Visit:
    """One visit to the pages. `base` is the version that was the newest when it began ("gold:2"; "" for none)."""

    called: ClassVar[str]

    def __init__(self, model_admin: KeyedVersionAdmin, request: HttpRequest) -> None:
        self.admin, self.request = model_admin, request
        self.key = request.POST.get("key", "").strip()
        self.base = request.POST.get("base", "")

    def answer(self) -> HttpResponse:
        raise NotImplementedError

    @property
    def newest(self) -> Any:
        """The newest version of the key; None where there is none."""
        return self.admin.model._default_manager.current(self.key)

    def begin(self) -> Any:
        """The version to begin with: the newest of the key that the address names by any version. None if it does not.

        From then on the visit is about that key.
        """
        base = self.request.GET.get("base", "")
        found = (
            self.admin.model._default_manager.filter(pk=base).first() if base.isdecimal() and len(base) < 19 else None
        )
        if found is None:
            return None
        self.key = found.key
        newest = self.newest
        self.base = _named(newest)
        return newest

    def same_as(self, newest: KeyedVersion | None, document: object) -> KeyedVersion | None:
        """The newest version, if it says what the document says: then there is nothing to publish."""
        return newest if newest is not None and newest.hash == digest(document) else None

    def out_of_date(self, newest: KeyedVersion | None) -> str:
        """Why what was entered may not follow the newest version of its key; "" if it may."""
        if newest is None or self.base == _named(newest):
            return ""
        return f"There is {newest} already, with which this did not begin: press “New version” on it and change that."

    def to(self, version: KeyedVersion) -> HttpResponse:
        """On to the page of the version."""
        meta = version._meta
        return HttpResponseRedirect(reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[version.pk]))

    def page(self, template: str, newest: KeyedVersion | None = None, **context: Any) -> HttpResponse:
        shown = {
            **self.admin.admin_site.each_context(self.request),
            "opts": self.admin.model._meta,
            "title": f"New version of {self.key}" if self.base else f"New {self.called}",
            "key": self.key,
            "base": self.base,
            "next": f"{self.key} v{newest.n + 1 if newest else 1}",
            **context,
        }
        return TemplateResponse(self.request, template, shown)


class MadeOnPagesAdmin(KeyedVersionAdmin):
    """Versions that are made on pages of their own (`pages`), and by a key and a document as everywhere."""

    pages: ClassVar[type[Visit]]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """The pages of a new version. A key and a document that are sent without a button are saved at once."""
        if request.method == "POST" and "do" not in request.POST:
            answer: HttpResponse = super().add_view(request, form_url, extra_context)
            return answer
        if not self.has_add_permission(request):
            raise PermissionDenied
        return self.pages(self, request).answer()

    @action(description="New version", url_path="new-version", permissions=["new_version"])
    def new_version(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Begins with the newest version of the key, whichever version the button was pressed on."""
        version = self.get_object(request, object_id)
        newest = self.model._default_manager.current(version.key) if version else None
        meta = self.model._meta
        add = reverse(f"admin:{meta.app_label}_{meta.model_name}_add")
        return HttpResponseRedirect(add + (f"?base={newest.pk}" if newest else ""))


def _named(version: KeyedVersion) -> str:
    return f"{version.key}:{version.n}"
