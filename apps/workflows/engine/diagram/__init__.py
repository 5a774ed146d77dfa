"""A workflow as a picture: one accessible SVG, and the same in sentences."""

from apps.workflows.engine.diagram.drawing import draw
from apps.workflows.engine.diagram.overlay import Mark, Overlay
from apps.workflows.engine.diagram.words import describe

__all__ = ["Mark", "Overlay", "describe", "draw"]
