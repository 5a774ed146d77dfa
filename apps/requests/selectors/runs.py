"""From a run to its request."""

from __future__ import annotations

from apps.accounts.models import User
from apps.core.errors import NotVisible
from apps.requests.models import Request
from apps.requests.selectors.visibility import visible_requests


def get_request_of_run(user: User, run_id: int) -> Request:
    """The request whose present run this is. Raises NotVisible for any other run, or a request they may not see."""
    request = visible_requests(user).filter(run_id=run_id).first()
    if request is None:
        raise NotVisible
    return request
