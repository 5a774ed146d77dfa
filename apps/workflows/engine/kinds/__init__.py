"""The step kinds: each a small class in its own file. The planner knows none of them by name."""

from __future__ import annotations

from collections.abc import Mapping

from apps.workflows.engine.kinds.action import Action
from apps.workflows.engine.kinds.approval import Approval
from apps.workflows.engine.kinds.base import Kind
from apps.workflows.engine.kinds.choice import Choice
from apps.workflows.engine.kinds.end import End
from apps.workflows.engine.kinds.start import Start
from apps.workflows.engine.kinds.task import Task
from apps.workflows.engine.kinds.wait import Wait

KINDS: Mapping[str, Kind] = {
    kind.name: kind for kind in (Start(), Task(), Approval(), Action(), Choice(), Wait(), End())
}
