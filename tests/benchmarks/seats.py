"""What an answer takes at a level of many seats, against one of few. Printed with the other figures of `make bench`."""

from __future__ import annotations

from statistics import median
from time import perf_counter

FEW, MANY = 3, 50
WARM_UP = 4


def measure(seats: int, *, requests: int) -> float:
    """The median of an answer in ms where it ends a level of so many seats and the request. After `seed`."""
    from django.db import transaction  # noqa: PLC0415 - after set_up

    from apps.approvals.models import Approval  # noqa: PLC0415
    from apps.requests.services.decisions import record_decision  # noqa: PLC0415
    from apps.requests.services.lifecycle import Wish, create_request  # noqa: PLC0415
    from tests.benchmarks.product import DOCUMENT, FORM  # noqa: PLC0415
    from tests.factories import make_item, make_person, make_workflow  # noqa: PLC0415

    names = [f"s{seats}x{number}" for number in range(seats)]
    people = [make_person(name) for name in names]
    asker = make_person(f"asks{seats}")
    level = {"id": "all", "approvers": [{"person": name} for name in names], "rule": {"kind": "any"}}
    policy = {"levels": [level], "fallback": [{"person": "anna"}], "return": "never"}
    steps = [{**step, "policy": policy} if step["id"] == "approve" else step for step in DOCUMENT["steps"]]
    key = f"seats{seats}"
    workflow = make_workflow({**DOCUMENT, "workflow": key, "name": key, "steps": steps})
    item = make_item(key, workflow=workflow, form=FORM, sla_key="standard")
    taken = []
    for _ in range(WARM_UP + requests):
        with transaction.atomic():
            request = create_request(item, Wish(title="Bench", data={"amount": {"amount": "250.00"}}), actor=asker)
        approval = Approval.objects.get(stream_id=request.pk)
        began = perf_counter()
        with transaction.atomic():
            record_decision(approval, verdict="approve", actor=people[0])
        taken.append(perf_counter() - began)
    return 1000 * median(taken[WARM_UP:])


def compare_seats(*, requests: int) -> None:
    """Prints both medians and their ratio."""
    few, many = (measure(seats, requests=requests) for seats in (FEW, MANY))
    print(f"approve p50 ms: {few:.1f} at a level of {FEW} seats, {many:.1f} at one of {MANY} ({many / few:.2f} times)")
