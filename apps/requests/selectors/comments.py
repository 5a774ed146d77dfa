"""What was written on a request, as its reader may see it."""

from __future__ import annotations

from django.db.models import QuerySet

from apps.accounts.models import User
from apps.requests.models import Comment, Request
from apps.requests.selectors.visibility import reads_internally


def comments_of(request: Request, *, reader: User) -> QuerySet[Comment]:
    """The comments, oldest first, with author and text; internal ones only for those who may read them."""
    shown = Comment.objects.filter(request=request).select_related("author", "note").order_by("id")
    return shown if reads_internally(reader, request) else shown.filter(internal=False)
