"""The dry run: a document walked with sample data and a script of answers and times. It writes and sends nothing."""

from apps.workflows.engine.simulation.script import Entry, read_instant, read_script
from apps.workflows.engine.simulation.trial import Trial, TrialProblem
from apps.workflows.engine.simulation.walk import simulate
from apps.workflows.engine.simulation.world import Deadline, Level, Policy, Slate, World

__all__ = [
    "Deadline",
    "Entry",
    "Level",
    "Policy",
    "Slate",
    "Trial",
    "TrialProblem",
    "World",
    "read_instant",
    "read_script",
    "simulate",
]
