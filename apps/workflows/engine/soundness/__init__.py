"""The soundness of a document: from every marking the run can end, and no step is dead.

`explore` plays a document with the planner itself; `can_end` says with which outcomes workflows that run each other
end; `nested_keys` warns of keys taken while another is held.
"""

from __future__ import annotations

from apps.workflows.engine.soundness.calls import can_end, nested_keys
from apps.workflows.engine.soundness.exploring import Soundness, explore

__all__ = ["Soundness", "can_end", "explore", "nested_keys"]
