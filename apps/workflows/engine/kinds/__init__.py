"""The step kinds: each a small class in its own file. The planner knows none of them by name."""

from __future__ import annotations

from collections.abc import Mapping

from apps.workflows.engine.kinds.action import Action
from apps.workflows.engine.kinds.approval import Approval
from apps.workflows.engine.kinds.base import Kind
from apps.workflows.engine.kinds.choice import Choice
from apps.workflows.engine.kinds.end import End
from apps.workflows.engine.kinds.join import Join
from apps.workflows.engine.kinds.race import Race
from apps.workflows.engine.kinds.split import Split
from apps.workflows.engine.kinds.start import Start
from apps.workflows.engine.kinds.subflow import Subflow
from apps.workflows.engine.kinds.task import Task
from apps.workflows.engine.kinds.wait import Wait

_ALL: tuple[Kind, ...] = (
    Start(),
    Task(),
    Approval(),
    Action(),
    Choice(),
    Split(),
    Join(),
    Wait(),
    Race(),
    Subflow(),
    End(),
)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _ALL}
