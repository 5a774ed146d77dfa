"""The floor's job through the product's services: submit, one or two approvals by amount, a result, complete."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from statistics import median
from time import perf_counter
from typing import Any

AMOUNTS = ("250.00", "4800.00")  # half of the requests need a second approval
WARM_UP = 6
START_TIMEOUT_SECONDS = 120

DOCUMENT: dict[str, Any] = {
    "format": 1,
    "workflow": "bench",
    "name": "Benchmark",
    "steps": [
        {"id": "start", "kind": "start"},
        {
            "id": "approve",
            "kind": "approval",
            "name": "Approval",
            "policy": {
                "levels": [
                    {"id": "first", "name": "First", "approvers": [{"person": "anna"}], "rule": {"kind": "any"}},
                    {
                        "id": "second",
                        "name": "Second",
                        "when": "request.data.amount > 1000.0",
                        "approvers": [{"person": "bert"}],
                        "rule": {"kind": "any"},
                    },
                ],
                "fallback": [{"person": "anna"}],
                "return": "never",
            },
        },
        {
            "id": "result",
            "kind": "action",
            "name": "Set the result",
            "action": "set_fields",
            "with": {"fields": {"result": "'approved'"}},
        },
        {"id": "end", "kind": "end", "outcome": "completed"},
        {"id": "no", "kind": "end", "outcome": "rejected"},
    ],
    "transitions": [
        {"from": "start", "to": "approve"},
        {"from": "approve", "to": "result", "outcome": "approved"},
        {"from": "approve", "to": "no", "outcome": "rejected"},
        {"from": "result", "to": "end"},
    ],
}
FORM = {"fields": [{"name": "amount", "type": "money", "required": True}, {"name": "reason", "type": "text"}]}


@dataclass(frozen=True, kw_only=True)
class ProductResult:
    """Completed requests a second, the median of one approval in ms, statements of a whole request."""

    requests_per_second: float
    approve_p50_ms: float
    statements_per_request: float


@dataclass(frozen=True, kw_only=True)
class Share:
    began: float
    ended: float
    approve_seconds: list[float]
    statements: int


def set_up(database: str) -> None:
    """Django on the benchmark's own, migrated database; called once per process."""
    os.environ["TEST_DATABASE_URL"] = database
    os.environ["DJANGO_SETTINGS_MODULE"] = "serviceflow.settings.test"
    import django  # noqa: PLC0415 - the settings must be named first

    django.setup()


def seed(database: str) -> None:
    """Migrates the empty database and writes the people, the item and its workflow."""
    set_up(database)
    from django.core.management import call_command  # noqa: PLC0415 - after set_up

    from tests.factories import make_item, make_person, make_sla, make_workflow  # noqa: PLC0415 - after set_up

    call_command("migrate", verbosity=0)
    for name in ("anna", "bert", "rosa"):
        make_person(name)
    make_sla()
    make_item("bench", workflow=make_workflow(DOCUMENT), form=FORM, sla_key="standard")


def run_product(database: str, *, requests: int, processes: int = 1) -> ProductResult:
    """Runs the job `requests` times, shared among so many processes, each with its own connection."""
    context = get_context("spawn")
    barrier = context.Barrier(processes)
    with ProcessPoolExecutor(processes, context, _keep_barrier, (barrier, database)) as pool:
        futures = [pool.submit(_work, requests // processes) for _ in range(processes)]
        shares = [future.result() for future in as_completed(futures)]
    seconds = max(share.ended for share in shares) - min(share.began for share in shares)
    done = requests // processes * processes
    return ProductResult(
        requests_per_second=done / seconds,
        approve_p50_ms=1000 * median(taken for share in shares for taken in share.approve_seconds),
        statements_per_request=sum(share.statements for share in shares) / done,
    )


_barrier: Barrier


def _keep_barrier(barrier: Barrier, database: str) -> None:
    global _barrier
    _barrier = barrier
    set_up(database)


def _work(requests: int) -> Share:
    from django.db import connection  # noqa: PLC0415 - after set_up

    counted = Counter()
    with connection.execute_wrapper(counted):
        for place in range(WARM_UP):
            _one(place, [])
        _barrier.wait(START_TIMEOUT_SECONDS)
        taken: list[float] = []
        counted.statements = 0
        began = perf_counter()
        for place in range(requests):
            _one(place, taken)
        ended = perf_counter()
    return Share(began=began, ended=ended, approve_seconds=taken, statements=counted.statements)


class Counter:
    """Counts what goes to the database, without BEGIN and COMMIT."""

    statements = 0

    def __call__(self, execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        self.statements += 1
        return execute(sql, params, many, context)


def _one(place: int, taken: list[float]) -> None:
    from django.db import transaction  # noqa: PLC0415 - after set_up

    from apps.accounts.models import User  # noqa: PLC0415
    from apps.approvals.models import Approval  # noqa: PLC0415
    from apps.requests.models import CatalogItem, Request  # noqa: PLC0415
    from apps.requests.services.decisions import record_decision  # noqa: PLC0415
    from apps.requests.services.lifecycle import Wish, create_request  # noqa: PLC0415

    people = _cached(lambda: {user.username: user for user in User.objects.all()}, "people")
    item = _cached(lambda: CatalogItem.objects.get(slug="bench"), "item")
    amount = AMOUNTS[place % 2]
    with transaction.atomic():
        request = create_request(
            item, Wish(title="Bench", data={"amount": {"amount": amount}, "reason": "because"}), actor=people["rosa"]
        )
    approval = Approval(pk=_approval_id(request), stream_id=request.pk, step="approve")
    for name in ("anna",) if amount == AMOUNTS[0] else ("anna", "bert"):
        began = perf_counter()
        with transaction.atomic():
            record_decision(approval, verdict="approve", actor=people[name])
        taken.append(perf_counter() - began)
    if place == 0 and Request.objects.get(pk=request.pk).status != "completed":
        raise RuntimeError("the benchmark's request was not completed")


_kept: dict[str, Any] = {}


def _cached(make: Any, name: str) -> Any:
    if name not in _kept:
        _kept[name] = make()
    return _kept[name]


def _approval_id(request: Any) -> int:
    return int(request.stream.approvals.values_list("pk", flat=True).get())
