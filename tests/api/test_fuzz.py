"""Whatever a client sends, generated from the OpenAPI document: the answer is one the document has, and never a 500."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode

from apps.accounts.delegations import Terms, create_delegation
from apps.core import clock
from apps.outbox.models import Incident
from apps.requests.models import Rebasing
from apps.requests.services.rebasing_work import ask_rebase, rebase_to_policy
from apps.sla.models import SlaPolicyVersion
from apps.workflows.services.drafting import save_draft
from tests.api.conftest import API, Client, World
from tests.api.openapi import document, operations
from tests.factories import (
    approval_document,
    choice_document,
    line_document,
    make_calendar,
    make_item,
    make_person,
    make_sla,
    make_workflow,
)

EXAMPLES = 20
TOKENS = "/auth/"
OPERATED = (  # for administrators
    "/workflows/", "/incidents/", "/skip/", "/move/", "/cancel-visit/", "/reassign/", "/add/", "/override/",
    "/sla/policies/", "/sla/calendars/", "/sla/rebase/",
)  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "unfit"])
@pytest.mark.parametrize(("method", "path"), sorted(operations()), ids=lambda part: str(part).removeprefix(API))
def test_nothing_a_client_sends_is_a_500(world: World, method: str, path: str, mode: GenerationMode) -> None:
    known = _known_parameters(world)
    operates = any(part in path for part in OPERATED)
    client = Client().of(make_person("ada", roles=["administrator"])) if operates else world.client("ivo")

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=_strategy(method, path, mode), meet=st.booleans())
    def send(case: Case, meet: bool) -> None:
        if meet:
            case.path_parameters = {**(case.path_parameters or {}), **_of(case, known)}
            _meet_rows(case.body, known["approval_id"])
        _send(client, case)

    send()


def _strategy(method: str, path: str, mode: GenerationMode) -> st.SearchStrategy[Case]:
    schema = schemathesis.openapi.from_dict(document())
    return schema[path][method.upper()].as_strategy(generation_mode=mode)


def _known_parameters(world: World) -> dict[str, Any]:
    """Path parameters of things that are there and that Ivo (or Ada, who designs) may see."""
    unpack = {"id": "unpack", "kind": "task", "name": "Unpack", "assign": {"team": "it"}}
    parcel = make_workflow(line_document("parcel", unpack))
    save_draft(parcel, document=line_document("parcel"), actor=None)
    make_item("parcel", workflow=parcel)
    request = world.ask(item="parcel")
    make_item("stuck", workflow=make_workflow(choice_document("request.data.nothing > 1")))
    world.ask(item="stuck")
    away = Terms(deputy=world.mia, ends_at=clock.now() + timedelta(days=1), items=("laptop",))
    delegation = create_delegation(world.ivo, away)
    asked = {"id": "asked", "approvers": [{"person": "ivo"}], "rule": {"kind": "any"}, "chair": {"person": "ivo"}}
    make_item("asked", workflow=make_workflow(approval_document("asked", levels=[asked])))
    world.ask(item="asked")
    make_sla("parcel")
    make_calendar("parcel")
    (approval,) = world.client("ivo").api("get", "/approvals/").json()["results"]
    (task,) = world.client("ivo").api("get", "/tasks/").json()["results"]
    return {
        "number": request.number,
        "task_id": task["id"],
        "run_id": request.run_id,
        "slug": "laptop",
        "approval_id": approval["id"],
        "incident_id": Incident.objects.get().pk,
        "key": "parcel",
        "n": 1,
        "delegation_id": delegation.pk,
        "rebasing_id": _looked_at().pk,
    }


def _of(case: Case, known: dict[str, Any]) -> dict[str, Any]:
    return {name: known[name] for name in case.path_parameters or {}}


def _looked_at() -> Rebasing:
    """A second version of the SLA policy, and a look at what carrying requests over to it would do."""
    document = SlaPolicyVersion.objects.filter(key="parcel").latest("n").document
    SlaPolicyVersion.freeze("parcel", {**document, "retroactive": True})
    return ask_rebase(rebase_to_policy("parcel"), actor=make_person("root", roles=["administrator"]))


def _meet_rows(body: Any, approval: int) -> None:
    """Rows of a bulk call name the approval that is there."""
    rows = body.get("decisions") if isinstance(body, dict) else None
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict):
            row["approval"] = approval


def _send(client: Client, case: Case) -> None:
    """Sends the case as generated; `Client.api` holds the answer against the document."""
    path = case.formatted_path.removeprefix(API)
    if case.query:
        path += "?" + urlencode(case.query, doseq=True, errors="replace")
    given = {name: str(value) for name, value in (case.headers or {}).items() if name.lower() != "host"}
    headers = {name: value for name, value in given.items() if value.isascii()}  # a broken Host never gets as far
    body = case.body if isinstance(case.body, (dict, list, str, int, float, bool)) else None
    client.api(case.method, path, body, **headers)
