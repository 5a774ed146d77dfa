"""How steps look, by kind: a card, a diamond, a circle or a bar. Each says how much room it takes and draws itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt

from apps.workflows.engine.definition import Step
from apps.workflows.engine.diagram.graph import Block, Point
from apps.workflows.engine.diagram.overlay import Mark
from apps.workflows.engine.diagram.svg import element, number, words
from apps.workflows.engine.diagram.text import cut, width_of, wrap
from apps.workflows.engine.diagram.words import kind_of, name_of

NAME, NOTE, SMALL = 14.0, 12.0, 11.0
BOLD = 1.08
NAME_LINE, NOTE_LINE = 18.0, 15.0
STAGE_COLOURS = ("#3b82c4", "#2f9e6e", "#b7791f", "#9b5fc0", "#c2528b", "#5b7f95")
HELD, HOT = "#14918a", "#e07b00"
Outline = Callable[[float], float]


@dataclass(frozen=True, kw_only=True)
class Look:
    """A step as it is drawn. `stage` is the place of its stage in the document, `tokens` how many it holds."""

    step: Step
    mark: Mark
    stage: int | None = None
    tokens: int = 0


class Shape:
    """`block` says the room, `draw` the elements, around a centre."""

    def block(self, look: Look) -> Block:
        raise NotImplementedError

    def draw(self, look: Look, block: Block, at: Point) -> str:
        raise NotImplementedError


class Card(Shape):
    """A rounded box: a glyph and a word for the kind, the name, the lines of the mark."""

    WIDTH = 176.0
    TEXT = WIDTH - 28
    TOP = 25.0

    def block(self, look: Look) -> Block:
        height = self.TOP + NAME_LINE * len(self._name(look)) + NOTE_LINE * len(look.mark.lines) + 10
        return _block(look, half=self.WIDTH / 2, height=height, ports=self.WIDTH / 2 - 16, outline=lambda _: height / 2)

    def draw(self, look: Look, block: Block, at: Point) -> str:
        left, top = at.x - block.half, at.y - block.height / 2
        parts = [
            _outlined(look, "rect", x=left, y=top, width=self.WIDTH, height=block.height, rx=10),
            _glyph(look.step.kind, left + 13, top + 8),
            words(kind_of(look.step), left + 31, top + 19, class_="kind", size=SMALL, fill_opacity=0.75),
        ]
        if look.stage is not None:
            edge = f"M{number(left)},{number(top + 10)}V{number(top + block.height - 10)}"
            parts.append(_stage_edge(look.stage, edge))
        y = top + self.TOP + 13
        for line in self._name(look):
            parts.append(words(line, left + 14, y, class_="name", size=NAME, font_weight=600))
            y += NAME_LINE
        for line in look.mark.lines:
            text = cut(line, width=self.TEXT, size=NOTE)
            parts.append(words(text, left + 14, y, class_="note", size=NOTE))
            y += NOTE_LINE
        return "".join([*parts, _tokens(look, Point(left + self.WIDTH - 14, top + 14))])

    def _name(self, look: Look) -> tuple[str, ...]:
        return wrap(name_of(look.step), width=self.TEXT, size=NAME * BOLD, lines=4)


class Diamond(Shape):
    """A question: its name in the middle."""

    def block(self, look: Look) -> Block:
        lines = self._lines(look)
        text = NAME_LINE * len(lines)
        high = text / 2 + 20
        half = max((width_of(line, NAME) for line in lines), default=0.0) / 2 / (1 - text / 2 / high) + 6
        return _block(
            look, half=half, height=2 * high, ports=half * 0.6, outline=lambda aside: high * (1 - abs(aside) / half)
        )

    def draw(self, look: Look, block: Block, at: Point) -> str:
        lines = self._lines(look)
        high = block.height / 2
        left, top = number(at.x - block.half), number(at.y - high)
        corners = f"M{left},{number(at.y)}L{number(at.x)},{top}L{number(at.x + block.half)},{number(at.y)}"
        parts = [_outlined(look, "path", d=f"{corners}L{number(at.x)},{number(at.y + high)}Z", stroke_linejoin="round")]
        if look.stage is not None:
            parts.append(_stage_edge(look.stage, f"M{left},{number(at.y)}L{number(at.x)},{top}"))
        y = at.y - NAME_LINE * len(lines) / 2 + 13.5
        for place, line in enumerate(lines):
            named = place < len(lines) - len(look.mark.lines)
            style, size = ("name", NAME) if named else ("note", NOTE)
            parts.append(words(line, at.x, y, class_=style, size=size, text_anchor="middle"))
            y += NAME_LINE
        return "".join([*parts, _tokens(look, Point(at.x + block.half * 0.6, at.y - high * 0.6))])

    def _lines(self, look: Look) -> tuple[str, ...]:
        name = wrap(name_of(look.step), width=120, size=NAME, lines=3)
        return (*name, *(cut(line, width=120, size=NOTE) for line in look.mark.lines))


class Captioned(Shape):
    """A small sign with its name beside it."""

    CAPTION = 130.0

    def lines(self, look: Look) -> tuple[tuple[str, str], ...]:
        name = wrap(name_of(look.step), width=self.CAPTION, size=NAME, lines=2)
        notes = [cut(line, width=self.CAPTION, size=NOTE) for line in look.mark.lines]
        return (*((line, "name") for line in name), *((line, "note") for line in notes))

    def beside(self, look: Look, half: float) -> float:
        """How far the caption reaches to the right."""
        return half + 8 + max((width_of(line, NAME) for line, _ in self.lines(look)), default=0.0)

    def caption(self, look: Look, left: float, middle: float) -> str:
        lines = self.lines(look)
        y = middle - NOTE_LINE * (len(lines) - 1) / 2 + 4.5
        return "".join(
            words(line, left, y + place * NOTE_LINE, class_=style, size=NAME - 1 if style == "name" else NOTE)
            for place, (line, style) in enumerate(lines)
        )


class Circle(Captioned):
    """A start or an end."""

    RADIUS = 15.0
    SIGNS: Mapping[str, str] = {
        "start": "M-4,-6.5L7,0L-4,6.5Z",
        "completed": "M-6,0.5L-1.5,5L6.5,-4.5",
        "rejected": "M-5,-5L5,5M5,-5L-5,5",
        "cancelled": "M-6,0H6",
    }

    def block(self, look: Look) -> Block:
        height = max(2 * self.RADIUS, NOTE_LINE * len(self.lines(look)))
        right = self.beside(look, self.RADIUS)
        return _block(look, half=self.RADIUS, height=height, right=right, ports=0.0, outline=self._outline)

    def draw(self, look: Look, block: Block, at: Point) -> str:
        ends = look.step.kind == "end"
        sign = self.SIGNS.get(str(look.step.settings.get("outcome")) if ends else "start", "M-4,-4H4V4H-4Z")
        parts = [_outlined(look, "circle", cx=at.x, cy=at.y, r=self.RADIUS)]
        if ends:
            parts.append(_line_art("circle", cx=at.x, cy=at.y, r=self.RADIUS - 3.5, stroke_opacity=0.35))
        place = f"translate({number(at.x)} {number(at.y)})" + (" scale(0.8)" if ends else "")
        parts.append(_line_art("path", class_="sign", d=sign, transform=place, stroke_width=2))
        parts.append(self.caption(look, at.x + self.RADIUS + 8, at.y))
        return "".join([*parts, _tokens(look, Point(at.x + 12, at.y - 12))])

    def _outline(self, aside: float) -> float:
        return sqrt(max(self.RADIUS**2 - aside**2, 0.0))


class Bar(Captioned):
    """Where branches part or meet."""

    HALF, HIGH = 48.0, 8.0

    def block(self, look: Look) -> Block:
        height = max(self.HIGH, NOTE_LINE * len(self.lines(look)))
        right = self.beside(look, self.HALF)
        ports = self.HALF - 6
        return _block(look, half=self.HALF, height=height, right=right, ports=ports, outline=lambda _: self.HIGH / 2)

    def draw(self, look: Look, block: Block, at: Point) -> str:
        left, top = at.x - self.HALF, at.y - self.HIGH / 2
        bar = element(
            "rect", class_="bar", x=left, y=top, width=2 * self.HALF, height=self.HIGH, rx=3, fill="currentColor"
        )
        ring = _outlined(look, "rect", x=left, y=top, width=2 * self.HALF, height=self.HIGH, rx=3)
        return bar + ring + self.caption(look, at.x + self.HALF + 8, at.y) + _tokens(look, Point(left, top))


SHAPES: Mapping[str, Shape] = {
    "start": Circle(),
    "end": Circle(),
    "choice": Diamond(),
    "split": Bar(),
    "join": Bar(),
}
_CARD = Card()
_GLYPHS: Mapping[str, str] = {
    "task": "M7,1.4a2.7,2.7 0 1,1 0,5.4a2.7,2.7 0 1,1 0,-5.4M1.6,13c0,-3 2.4,-4.4 5.4,-4.4s5.4,1.4 5.4,4.4",
    "approval": "M3.5,1.5h7a2,2 0 0,1 2,2v7a2,2 0 0,1 -2,2h-7a2,2 0 0,1 -2,-2v-7a2,2 0 0,1 2,-2ZM4.2,7.2l2,2L10,5.2",
    "wait": "M7,1.3a5.7,5.7 0 1,1 0,11.4a5.7,5.7 0 1,1 0,-11.4M7,4v3.2l2.2,1.5",
    "action": "M8,1L3,8h3.6L6,13l5,-7H7.4Z",
    "subflow": "M1.5,1.5h7v7h-7ZM5.5,8.5v4h7v-7h-4",
    "race": "M3,13V1.5h8.5l-2,3l2,3H3",
}


def shape_of(step: Step) -> Shape:
    return SHAPES.get(step.kind, _CARD)


def _block(
    look: Look, *, half: float, height: float, ports: float, outline: Outline, right: float | None = None
) -> Block:
    return Block(
        id=look.step.id,
        half=half,
        height=height,
        left=half,
        right=right or half,
        ports=ports,
        outline=outline,
    )


def _outlined(look: Look, name: str, **attributes: object) -> str:
    """The shape itself. Held and heat are told by stroke and tint here, and by words and a dot elsewhere."""
    heat = min(max(look.mark.heat, 0.0), 1.0)
    fill, opacity = (HOT, 0.06 + 0.4 * heat) if heat else (HELD, 0.14) if look.tokens else ("currentColor", 0.03)
    line: dict[str, object] = (
        {"stroke": HELD, "stroke_width": 3} if look.tokens else {"stroke": "currentColor", "stroke_opacity": 0.5}
    )
    return element(name, class_="shape", **attributes, fill=fill, fill_opacity=opacity, **line)


def _stage_edge(stage: int, d: str) -> str:
    colour = STAGE_COLOURS[stage % len(STAGE_COLOURS)]
    name = f"stage stage-{stage % len(STAGE_COLOURS) + 1}"
    return element("path", class_=name, d=d, stroke=colour, stroke_width=4, stroke_linecap="round", fill="none")


def _tokens(look: Look, at: Point) -> str:
    """The dot that says: the request is here. With a number where there are several tokens."""
    if not look.tokens:
        return ""
    dot = element("circle", class_="token", cx=at.x, cy=at.y, r=8 if look.tokens > 1 else 6, fill=HELD)
    if look.tokens == 1:
        return dot
    return dot + element(
        "text",
        str(look.tokens),
        x=at.x,
        y=at.y + 4,
        font_size=SMALL,
        font_weight=700,
        text_anchor="middle",
        fill="#fff",
    )


def _glyph(kind: str, x: float, y: float) -> str:
    d = _GLYPHS.get(kind, "M2,2h10v10h-10Z")
    place = f"translate({number(x)} {number(y)})"
    return _line_art("path", class_="glyph", d=d, transform=place, stroke_opacity=0.75)


def _line_art(name: str, **attributes: object) -> str:
    style: dict[str, object] = {
        "fill": "none",
        "stroke": "currentColor",
        "stroke_width": 1.4,
        "stroke_linejoin": "round",
    }
    return element(name, **{**style, **attributes, "stroke_linecap": "round"})
