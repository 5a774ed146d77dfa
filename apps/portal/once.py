"""A form that is sent twice does its work once.

A page hands out a random token with its form. The first sending locks the session's row, does the work and notes the
token with its result in the same transaction; any other waits for the lock, finds the note and gets the same result.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from importlib import import_module

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest

NOTED = "forms_sent"
MOST_NOTED = 30
LONGEST_TOKEN = 64
SessionStore = import_module(settings.SESSION_ENGINE).SessionStore


def new_token() -> str:
    """A token for one showing of a form."""
    return secrets.token_urlsafe(16)


@transaction.atomic
def once(request: HttpRequest, token: str, work: Callable[[], str]) -> str:
    """The result of `work` (a short text, such as a number), which is done at most once per session and token.

    Without a token it is simply done. A domain error leaves nothing behind, so the form can be sent again.
    """
    key = request.session.session_key
    if not token or len(token) > LONGEST_TOKEN or key is None:
        return work()
    Session.objects.select_for_update().filter(session_key=key).first()
    noted: dict[str, str] = SessionStore(key).get(NOTED, {})
    if token in noted:
        return noted[token]
    result = work()
    kept = dict(list(noted.items())[1 - MOST_NOTED :])
    request.session[NOTED] = kept | {token: result}
    request.session.save()
    return result
