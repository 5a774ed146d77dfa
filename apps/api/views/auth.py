"""Logging in and out. These take no idempotency key: their answers are secrets and are stored nowhere."""

from __future__ import annotations

from django.contrib.auth import authenticate
from drf_spectacular.types import OpenApiTypes
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response

from apps.accounts.models import User
from apps.accounts.services import TICKET_LIFE, issue_ticket
from apps.api import tokens
from apps.api.bodies import read_body, shape, text
from apps.api.schema import authenticates, writes
from apps.api.serializers.accounts import TicketSerializer, TokenPairSerializer
from apps.api.throttling import count_login
from apps.api.views.base import ApiView, actor_of
from apps.core.errors import InvalidInput
from apps.core.text import text_problem

LONGEST = 1000
CREDENTIALS = shape({"username": text(), "password": text(format="password")}, required=("username", "password"))
REFRESH = shape({"refresh": text()}, required=("refresh",))
TOKEN = shape({"token": text()}, required=("token",))


class OpenView(ApiView):
    """A view that needs no token."""

    authentication_classes = []
    permission_classes = []

    def get_authenticate_header(self, request: HttpRequest) -> str:
        return 'Bearer realm="api"'


class TokenView(OpenView):
    @authenticates("Log in", TokenPairSerializer, body=CREDENTIALS)
    def post(self, http: HttpRequest) -> Response:
        body = read_body(http.data, CREDENTIALS)
        _check_length(body["username"], body["password"])
        count_login(http._request, body["username"])
        user = authenticate(http._request, username=body["username"], password=body["password"])
        if not isinstance(user, User):
            raise AuthenticationFailed("No active account has this user name and password.")
        return Response(tokens.new_pair(user))


class RefreshView(OpenView):
    @authenticates("Get the next pair of tokens", TokenPairSerializer, body=REFRESH)
    def post(self, http: HttpRequest) -> Response:
        return Response(tokens.replace(read_body(http.data, REFRESH)["refresh"]))


class VerifyView(OpenView):
    @authenticates("Ask whether a token is still good", OpenApiTypes.OBJECT, body=TOKEN)
    def post(self, http: HttpRequest) -> Response:
        tokens.verify(read_body(http.data, TOKEN)["token"])
        return Response({})


class LogoutView(OpenView):
    @authenticates(
        "Log out: end a refresh token and all that follow from the same log-in", OpenApiTypes.OBJECT, body=REFRESH
    )
    def post(self, http: HttpRequest) -> Response:
        tokens.end(read_body(http.data, REFRESH)["refresh"])
        return Response({})


class TicketView(ApiView):
    @writes("Get a one-time pass to the socket", TicketSerializer, body=shape(), status=201, keyed=False)
    def post(self, http: HttpRequest) -> Response:
        read_body(http.data, shape())
        answer = {"ticket": issue_ticket(actor_of(http)), "expires_in": int(TICKET_LIFE.total_seconds())}
        return Response(answer, status=201)


def _check_length(username: str, password: str) -> None:
    problems = {
        "username": text_problem(username, max_length=LONGEST),
        "password": text_problem(password, max_length=LONGEST),
    }
    found = {field: [problem] for field, problem in problems.items() if problem}
    if found:
        raise InvalidInput(found)
