"""Approval policies, versioned: here, because a new version must fit the published workflows that name it.

A new version is entered as fields or as JSON, looked at (who would be asked, which workflows it touches) and published.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import admin

from apps.approvals.models import ApprovalPolicyVersion
from apps.approvals.quorum import check_policy
from apps.core.admin import VersionForm
from apps.requests.admin.making import MadeOnPagesAdmin
from apps.requests.admin.policy.pages import PolicyPages
from apps.requests.services.reissuing import require_fitting_policy


class PolicyForm(VersionForm):
    check = staticmethod(check_policy)
    require = staticmethod(require_fitting_policy)


@admin.register(ApprovalPolicyVersion)
class ApprovalPolicyVersionAdmin(MadeOnPagesAdmin):
    form = PolicyForm
    pages = PolicyPages
    actions_detail: Sequence[str] = ("new_version",)
