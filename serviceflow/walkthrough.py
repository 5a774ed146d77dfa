"""One request from submission to archive, through the public interfaces only: what happened at each of nine steps.

It speaks HTTP to the API: to a running server, whose worker and beat do the rest, or in this process, where it runs
relay and sweeps itself between two looks.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
from django.core.wsgi import get_wsgi_application

from apps.outbox.relay import run_relay
from apps.requests.sweeps import run_sweeps
from serviceflow.demo import demo_document

Json = dict[str, Any]
REQUESTER, MANAGER, OWNERS, WORKER = "sara", "tom", ("oscar", "lena"), "jonas"
ITEM = "access"
WISH: Json = {
    "item": ITEM,
    "title": "Administer the customer records",
    "urgency": "high",
    "data": {"system": "crm", "level": "administer", "reason": "I take over the customer records from a colleague."},
}
LONGEST_WAIT_S = 60.0


class WalkthroughFailed(Exception):
    """A step of the walkthrough did not go as it should; the message says which and what was answered."""


@dataclass(kw_only=True)
class Walkthrough:
    """`client` reaches the API; `pump` lets background work happen where no worker runs."""

    client: httpx.Client
    pump: Callable[[], None]
    tokens: dict[str, str] = field(default_factory=dict)
    steps: dict[str, Json] = field(default_factory=dict)
    statuses: list[str] = field(default_factory=list)

    def run(self) -> dict[str, Json]:
        """Walks all nine steps; returns them in order. Raises WalkthroughFailed."""
        refused = self._refused_submission()
        number = self._submit()
        self._approve_all(number)
        self._work(number)
        request = self._until(f"archived {number}", lambda: self._archived(number))
        notified = self._until("notified", lambda: self._notified(number))
        self._report(request, refused, notified)
        return self.steps

    # --- what people do ----------------------------------------------------------------------------------------------

    def _refused_submission(self) -> Json:
        broken = {**WISH, "data": {"system": "crm", "level": "own", "reason": ""}}
        answer = self.call(REQUESTER, "POST", "/requests/", broken, expect=400)
        return {"code": answer["code"], "errors": answer["errors"]}

    def _submit(self) -> str:
        item = self.call(REQUESTER, "GET", f"/catalog/{ITEM}/")
        answer = self.call(REQUESTER, "POST", "/requests/", {**WISH, "item": item["slug"]}, expect=201)
        self.statuses.append(answer["status"])
        return str(answer["number"])

    def _approve_all(self, number: str) -> None:
        for username in (MANAGER, *OWNERS):
            approval = self._until(f"{username} is asked", partial(self._asked, username, number))
            comment = {"decision": "approve", "comment": f"Fine with me, {username}."}
            self.call(username, "POST", f"/approvals/{approval['id']}/decide/", comment)
        self.statuses.append(self._request(number)["status"])

    def _work(self, number: str) -> None:
        task = self._until("a task is offered", lambda: self._task(number))
        self.call(WORKER, "POST", f"/tasks/{task['id']}/claim/", {})
        self.call(WORKER, "POST", f"/tasks/{task['id']}/complete/", {"outcome": "granted", "comment": "Done."})

    # --- what can be seen --------------------------------------------------------------------------------------------

    def _request(self, number: str) -> Json:
        return self.call(REQUESTER, "GET", f"/requests/{number}/")

    def _asked(self, username: str, number: str) -> Json | None:
        return self._first(username, "/approvals/", number)

    def _task(self, number: str) -> Json | None:
        return self._first(WORKER, "/tasks/", number)

    def _first(self, username: str, path: str, number: str) -> Json | None:
        rows = self.call(username, "GET", path)["results"]
        return next((row for row in rows if row["request"] == number), None)

    def _archived(self, number: str) -> Json | None:
        request = self._request(number)
        if request["status"] != self.statuses[-1]:
            self.statuses.append(request["status"])
        return request if request["status"] == "archived" else None

    def _notified(self, number: str) -> Json | None:
        found = {name: self._notifications(name, number) for name in (REQUESTER, MANAGER, WORKER)}
        done = any(line["kind"] == "completed" for line in found[REQUESTER])
        return found if done and found[MANAGER] and found[WORKER] else None

    def _notifications(self, username: str, number: str) -> list[Json]:
        rows = self.call(username, "GET", "/notifications/")["results"]
        return [row for row in rows if row["request"] == number]

    # --- what is told ------------------------------------------------------------------------------------------------

    def _report(self, request: Json, refused: Json, notified: Mapping[str, list[Json]]) -> None:
        number = request["number"]
        self.events = list(self._all_events(number))
        clocks = self._rows(f"/requests/{number}/clocks/")
        approvals = self._rows(f"/requests/{number}/approvals/")
        self._tell("request", ["request.drafted", "request.submitted"], number=number, title=request["title"])
        self._tell("validation", ["request.validated"], refused_first=refused)
        self._tell("workflow_selection", ["request.workflow_selected"], selection=request["selection"])
        self._tell(
            "state_machine", ["run.started", "choice.taken", "request.first_response"], statuses=self._all_statuses()
        )
        self._tell(
            "processing",
            ["task.", "action.", "request.fields_set", "comment."],
            steps=self._named("step", ["task.", "action."]),
        )
        self._tell("approvals", ["approval."], rounds=[_round(approval) for approval in approvals])
        self._tell("sla_tracking", ["sla."], clocks=[_clock(clock) for clock in clocks])
        self._tell(
            "notifications", [], told={name: [row["subject"] for row in rows] for name, rows in notified.items()}
        )
        self.steps["notifications"]["events"] = sorted({row["event"] for rows in notified.values() for row in rows})
        self._tell(
            "completion",
            ["run.ended", "request.completed", "request.archived"],
            outcome=request["outcome"],
            status=request["status"],
        )

    def _tell(self, step: str, kinds: Iterable[str], **what: Any) -> None:
        ids = [event["id"] for event in self._of(kinds)]
        if kinds and not ids:
            raise WalkthroughFailed(f"{step}: none of the events {', '.join(kinds)} was written")
        self.steps[step] = {**what, "events": ids}

    def _of(self, kinds: Iterable[str]) -> list[Json]:
        return [event for event in self.events if event["type"].startswith(tuple(kinds))]

    def _named(self, key: str, kinds: Iterable[str]) -> list[str]:
        found = [event["data"].get(key) for event in self._of(kinds)]
        return list(dict.fromkeys(name for name in found if name))

    def _all_statuses(self) -> list[str]:
        return list(dict.fromkeys(self.statuses))

    def _all_events(self, number: str) -> Iterable[Json]:
        path: str | None = f"/requests/{number}/events/?page_size=200"
        while path:
            page = self.call(REQUESTER, "GET", path)
            yield from page["results"]
            path = page["next"]

    def _rows(self, path: str) -> list[Json]:
        answer: Any = self.call(REQUESTER, "GET", path)
        return list(answer["results"] if isinstance(answer, dict) else answer)

    # --- how it is asked ---------------------------------------------------------------------------------------------

    def _until(self, what: str, look: Callable[[], Json | None]) -> Json:
        end = time.monotonic() + LONGEST_WAIT_S
        while time.monotonic() < end:
            found = look()
            if found is not None:
                return found
            self.pump()
        raise WalkthroughFailed(f"waited {LONGEST_WAIT_S:.0f} s in vain: {what}")

    def call(self, username: str, method: str, path: str, body: Json | None = None, *, expect: int = 200) -> Json:
        """One call of the API as this person; raises WalkthroughFailed unless it answers with the expected status."""
        headers = {"Authorization": f"Bearer {self._token(username)}"}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        url = path if path.startswith("http") else f"/api/v1{path}"
        answer = self.client.request(method, url, json=body, headers=headers)
        if answer.status_code != expect:
            raise WalkthroughFailed(f"{method} {path} as {username}: {answer.status_code} {answer.text[:500]}")
        found: Json = answer.json()
        return found

    def _token(self, username: str) -> str:
        if username not in self.tokens:
            body = {"username": username, "password": demo_document()["password"]}
            answer = self.client.post("/api/v1/auth/token/", json=body)
            if answer.status_code != 200:
                raise WalkthroughFailed(f"{username} cannot log in ({answer.status_code}). Run seed_demo first?")
            self.tokens[username] = answer.json()["access"]
        return self.tokens[username]


def _round(approval: Json) -> Json:
    levels = {level["name"]: [_vote(seat) for seat in level["seats"]] for level in approval["levels"]}
    return {"approval": approval["id"], "status": approval["status"], **levels}


def _vote(seat: Json) -> str:
    decision = seat["decision"]
    return f"{decision['by']}: {decision['verdict']}" if decision else "not answered"


def _clock(clock: Json) -> Json:
    return {key: clock[key] for key in ("metric", "status", "due_at", "elapsed")}


def walk_in_process() -> dict[str, Json]:
    """Walks against the application in this process; relay and sweeps run between two looks."""
    transport = httpx.WSGITransport(app=get_wsgi_application(), raise_app_exceptions=True)
    with httpx.Client(transport=transport, base_url="http://127.0.0.1") as client:
        return Walkthrough(client=client, pump=_pump).run()


def _pump() -> None:
    run_relay()
    run_sweeps()


def walk_against(base_url: str) -> dict[str, Json]:
    """Walks against a running server; its worker and beat do the background work."""
    try:
        with httpx.Client(base_url=base_url, timeout=30) as client:
            return Walkthrough(client=client, pump=lambda: time.sleep(0.2)).run()
    except httpx.HTTPError as error:
        raise WalkthroughFailed(f"{base_url} does not answer: {error}") from error
