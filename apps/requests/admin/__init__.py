"""The admin's pages of this step: the catalogue, the drawing and publishing of workflows, requests."""

from apps.requests.admin import catalog, imported, request, workflow

__all__ = ["catalog", "imported", "request", "workflow"]
