"""What every page of the portal shares: who may open it, how it is refused, how a move is answered."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

from apps.accounts.models import User
from apps.core.errors import NotPermitted, NotVisible

View = Callable[..., HttpResponse]


def page(view: View) -> View:
    """A page for people who are logged in: not visible is 404, visible but not permitted is 403; never cached."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except NotVisible as refusal:
            raise Http404(refusal.detail) from refusal
        except NotPermitted as refusal:
            raise PermissionDenied(refusal.detail) from refusal

    return never_cache(login_required(guarded))


def reader_of(request: HttpRequest) -> User:
    """The person who is logged in; pages are closed to everybody else."""
    return cast(User, request.user)
