"""Approval policies, versioned: here, because a new version must fit the published workflows that name it."""

from __future__ import annotations

from django.contrib import admin

from apps.approvals.models import ApprovalPolicyVersion
from apps.approvals.quorum import check_policy
from apps.core.admin import KeyedVersionAdmin, VersionForm
from apps.requests.services.reissuing import require_fitting_policy


class PolicyForm(VersionForm):
    check = staticmethod(check_policy)
    require = staticmethod(require_fitting_policy)


@admin.register(ApprovalPolicyVersion)
class ApprovalPolicyVersionAdmin(KeyedVersionAdmin):
    form = PolicyForm
