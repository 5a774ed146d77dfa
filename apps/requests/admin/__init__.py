"""The admin's pages of this step: catalogue, drawing and publishing of workflows, requests and what they sent."""

from apps.requests.admin import call, catalog, imported, policy, rebasing, request, targets, workflow

__all__ = ["call", "catalog", "imported", "policy", "rebasing", "request", "targets", "workflow"]
