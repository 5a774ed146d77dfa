"""The admin's pages of this step: the catalogue, the drawing and publishing of workflows, requests."""

from apps.requests.admin import catalog, imported, policy, request, workflow

__all__ = ["catalog", "imported", "policy", "request", "workflow"]
