"""Many answers in one call: each row is judged by itself, in a transaction and under an idempotency key of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import APIException
from rest_framework.response import Response

from apps.accounts.models import User
from apps.api.bodies import Body, read_body, shape, text
from apps.api.errors import problem_handler
from apps.api.idempotency import once
from apps.approvals.enums import Verdict
from apps.approvals.services import Signature
from apps.core.errors import DomainError, InvalidInput
from apps.requests.selectors import approval_for
from apps.requests.services.decisions import record_decision, signed

MOST_ROWS = 100
GIVEN = {
    "decision": text(enum=Verdict.values),
    "comment": text("Why", maxLength=10_000),
    "password": text("One's own, where the level asks for it: the answer is signed then", format="password"),
    "seat": {
        "type": "integer",
        "minimum": 1,
        "description": "The seat that was shown: no other one of mine is answered, at a later level for example",
    },
}
ANSWER = shape(GIVEN, required=("decision",))
ROW = shape(
    {"approval": {"type": "integer", "minimum": 1, "description": "Its id"}, **GIVEN}, required=("approval", "decision")
)
ANSWERS = shape(
    {"decisions": {"type": "array", "items": ROW, "minItems": 1, "maxItems": MOST_ROWS}}, required=("decisions",)
)


def read_rows(body: Body) -> list[Any]:
    """The rows, as they came. Raises InvalidInput for none or too many."""
    rows: list[Any] = body["decisions"]
    if not 1 <= len(rows) <= MOST_ROWS:
        raise InvalidInput({"decisions": [f"Give 1 to {MOST_ROWS} answers in a call."]})
    return rows


class Answers:
    """The answers of one call by one person. `key` is the call's idempotency key; row N is judged under `key/N`.

    A password is checked once, however many rows have it.
    """

    def __init__(self, *, actor: User, key: str | None, path: str) -> None:
        self._actor, self._key, self._path = actor, key, path
        self._first: dict[int, int] = {}
        self._signatures: dict[str, Signature | InvalidInput | None] = {}

    def give(self, number: int, row: Any) -> Mapping[str, Any]:
        """Judges one row and says what became of it; a refusal leaves nothing behind."""
        named = row.get("approval") if isinstance(row, dict) else None
        approval_id = named if isinstance(named, int) and not isinstance(named, bool) else None
        try:
            self._refuse_repeated(number, approval_id)
            body = _read(row)
            key = None if self._key is None else f"{self._key}/{number}"
            answer = once(self._actor, key, ["POST", self._path, row], lambda: self._decide(body))
        except (DomainError, APIException) as error:
            return {"row": number, "approval": approval_id, **_refusal(error), "result": None}
        return {"row": number, "approval": approval_id, **answer.data}

    def _refuse_repeated(self, number: int, approval_id: int | None) -> None:
        if approval_id is not None and self._first.setdefault(approval_id, number) != number:
            raise InvalidInput({"approval": [f"Row {self._first[approval_id]} answers this approval already."]})

    def _decide(self, body: Body) -> Response:
        approval = approval_for(self._actor, body["approval"])
        decided = record_decision(
            approval,
            verdict=body["decision"],
            comment=body.get("comment", ""),
            signature=self._signature(body.get("password", "")),
            seat=body.get("seat"),
            actor=self._actor,
        )
        return Response({"status": 200, "code": "decided", "detail": "", "errors": {}, "result": decided.status})

    def _signature(self, password: str) -> Signature | None:
        """Raises InvalidInput for a wrong password."""
        if password not in self._signatures:
            try:
                self._signatures[password] = signed(self._actor, password)
            except InvalidInput as error:
                self._signatures[password] = error
        found = self._signatures[password]
        if isinstance(found, InvalidInput):
            raise found
        return found


def _read(row: Any) -> Body:
    if not isinstance(row, dict):
        raise InvalidInput({"row": ["This must be an object."]})
    return read_body(row, ROW)


def _refusal(error: Exception) -> dict[str, Any]:
    answer = problem_handler(error, {})
    assert answer is not None
    told = answer.data
    return {key: told[key] for key in ("status", "code", "detail")} | {"errors": told.get("errors", {})}
