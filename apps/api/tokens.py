"""Pairs of tokens: a short access token and a refresh token that is replaced each time it is used.

All refresh tokens that follow from one log-in share a `family`. One that was already replaced, or logged out, ends the
whole family when it is shown again: somebody has a copy.
"""

from __future__ import annotations

import hmac
import uuid

from django.db import transaction
from rest_framework_simplejwt.exceptions import InvalidToken, TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken, UntypedToken
from rest_framework_simplejwt.utils import get_md5_hash_password

from apps.accounts.models import User
from apps.core.locks import lock_rows

FAMILY = "family"
Pair = dict[str, str]


def new_pair(user: User) -> Pair:
    """The first pair of a family."""
    refresh = RefreshToken()
    refresh[api_settings.USER_ID_CLAIM] = str(user.pk)
    refresh[api_settings.REVOKE_TOKEN_CLAIM] = get_md5_hash_password(user.password)
    refresh[FAMILY] = uuid.uuid4().hex
    refresh.outstand()
    return _pair(refresh)


def replace(text: str) -> Pair:
    """The next pair of the token's family. Raises InvalidToken; a token that was used before ends its family first."""
    token = _decoded(text)
    with transaction.atomic():
        _lock_owner(token)
        if not _is_spent(token):
            _demand_present_owner(token)
            token.blacklist()
            token.set_jti()
            token.set_exp()
            token.set_iat()
            token.outstand()
            return _pair(token)
        _end_family(token)
    raise InvalidToken("This refresh token was used before; log in again.")


def end(text: str) -> None:
    """Logs out: the token and its family are of no more use. Ending twice is no error. Raises InvalidToken."""
    token = _decoded(text)
    with transaction.atomic():
        _lock_owner(token)
        _end_family(token)


def verify(text: str) -> None:
    """Raises InvalidToken unless the token (access or refresh) is ours, in time, unspent and its person is active."""
    try:
        token = UntypedToken(text)  # type: ignore[arg-type]
    except TokenError as error:
        raise InvalidToken(str(error)) from error
    if _is_spent(token):
        raise InvalidToken("This token was ended.")
    _demand_present_owner(token)


def _decoded(text: str) -> RefreshToken:
    """The refresh token, spent or not."""
    try:
        token = RefreshToken(text, verify=False)  # type: ignore[arg-type]
        token.payload = token.get_token_backend().decode(text, verify=True)  # type: ignore[arg-type]
        token.check_exp()
        token.verify_token_type()
    except Exception as error:
        raise InvalidToken("This is no refresh token that is valid here.") from error
    return token


def _pair(refresh: RefreshToken) -> Pair:
    return {"access": str(refresh.access_token), "refresh": str(refresh)}


def _lock_owner(token: RefreshToken) -> None:
    """Two uses of one token at the same instant come one after the other."""
    lock_rows(User.objects.filter(pk=token[api_settings.USER_ID_CLAIM]))


def _is_spent(token: RefreshToken | UntypedToken) -> bool:
    return BlacklistedToken.objects.filter(token__jti=token[api_settings.JTI_CLAIM]).exists()


def _demand_present_owner(token: RefreshToken | UntypedToken) -> None:
    user = User.objects.filter(pk=token[api_settings.USER_ID_CLAIM], is_active=True).first()
    claimed = str(token.get(api_settings.REVOKE_TOKEN_CLAIM, ""))
    if user is None or not hmac.compare_digest(claimed, get_md5_hash_password(user.password)):
        raise InvalidToken("This token's account or password has changed; log in again.")


def _end_family(token: RefreshToken) -> None:
    mine = OutstandingToken.objects.filter(user_id=token[api_settings.USER_ID_CLAIM], blacklistedtoken__isnull=True)
    family = [row for row in mine if _family_of(row.token) == token.get(FAMILY)]
    BlacklistedToken.objects.bulk_create([BlacklistedToken(token=row) for row in family], ignore_conflicts=True)


def _family_of(text: str) -> str | None:
    payload = RefreshToken(text, verify=False).payload  # type: ignore[arg-type]
    return payload.get(FAMILY)
