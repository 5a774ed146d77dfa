from apps.workflows.models.call import ActionCall
from apps.workflows.models.check import GateCheck
from apps.workflows.models.key import KeyClaim
from apps.workflows.models.run import StepVisit, Task, WorkflowRun
from apps.workflows.models.secret import Secret
from apps.workflows.models.timer import Timer
from apps.workflows.models.workflow import Workflow, WorkflowVersion

__all__ = [
    "ActionCall",
    "GateCheck",
    "KeyClaim",
    "Secret",
    "StepVisit",
    "Task",
    "Timer",
    "Workflow",
    "WorkflowRun",
    "WorkflowVersion",
]
