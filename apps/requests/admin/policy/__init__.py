"""Approval policies, versioned: here, because a new version must fit the published workflows that name it.

A new version is entered as fields or as JSON, looked at (who would be asked, which workflows it touches) and published.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.decorators import action

from apps.approvals.models import ApprovalPolicyVersion
from apps.approvals.quorum import check_policy
from apps.core.admin import KeyedVersionAdmin, VersionForm
from apps.requests.admin.policy.pages import PolicyPages
from apps.requests.services.reissuing import require_fitting_policy


class PolicyForm(VersionForm):
    check = staticmethod(check_policy)
    require = staticmethod(require_fitting_policy)


@admin.register(ApprovalPolicyVersion)
class ApprovalPolicyVersionAdmin(KeyedVersionAdmin):
    form = PolicyForm
    actions_detail: Sequence[str] = ("new_version",)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """The pages of a new version. A key and a document that are sent without a button are saved at once."""
        if request.method == "POST" and "do" not in request.POST:
            answer: HttpResponse = super().add_view(request, form_url, extra_context)
            return answer
        if not self.has_add_permission(request):
            raise PermissionDenied
        return PolicyPages(self, request).answer()

    @action(description="New version", url_path="new-version", permissions=["new_version"])
    def new_version(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Begins with the newest version of the key, whichever version the button was pressed on."""
        version = self.get_object(request, object_id)
        newest = ApprovalPolicyVersion.objects.current(version.key) if version else None
        base = f"?base={newest.pk}" if newest else ""
        return HttpResponseRedirect(reverse("admin:approvals_approvalpolicyversion_add") + base)
