"""Guards: expressions in CEL behind one adapter, compiled once, bounded, and what can be known of them beforehand."""

from apps.workflows.engine.guards.adapter import GuardFailed, check_expression, compared_in, evaluate, holds, names_in
from apps.workflows.engine.guards.names import Name

__all__ = ["GuardFailed", "Name", "check_expression", "compared_in", "evaluate", "holds", "names_in"]
