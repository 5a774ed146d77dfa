from apps.requests.models.catalog import CatalogItem, SelectionRule, SlaRule
from apps.requests.models.comment import Comment
from apps.requests.models.form import FormVersion
from apps.requests.models.imported import ImportedCase
from apps.requests.models.participant import RequestParticipant
from apps.requests.models.rebasing import Rebasing
from apps.requests.models.request import Request

__all__ = [
    "CatalogItem",
    "Comment",
    "FormVersion",
    "ImportedCase",
    "Rebasing",
    "Request",
    "RequestParticipant",
    "SelectionRule",
    "SlaRule",
]
