"""The drawing: a definition as one SVG element that reads alone, in a page and in a mail, in light and in dark.

Only presentation attributes and classes, no style; colours come from the text around it (`currentColor`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from apps.workflows.engine.definition import Definition, Step, Transition
from apps.workflows.engine.diagram import layout, placed, svg
from apps.workflows.engine.diagram.graph import Arrangement, Block, Link, Point, Route
from apps.workflows.engine.diagram.overlay import Mark, Overlay
from apps.workflows.engine.diagram.shapes import NOTE, NOTE_LINE, STAGE_COLOURS, Look, shape_of
from apps.workflows.engine.diagram.text import cut, escape, width_of, wrap
from apps.workflows.engine.diagram.words import describe, here, kind_of, label_of, name_of, tokens_at
from apps.workflows.engine.marking import Marking

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', Arial, sans-serif"
LABEL_WIDTH = 124.0
LEGEND_LINE, LEGEND_WIDTH = 22.0, 320.0
THIN, THICK = 1.5, 7.0
FARTHEST = 20_000


def draw(
    definition: Definition,
    *,
    marking: Marking | None = None,
    overlay: Overlay | None = None,
    ident: str = "diagram",
) -> str:
    """One <svg> element. `ident` begins the ids in it, so that a page can hold several.

    Steps are placed as the document's layout says if it names them all, none farther off than 20,000 pixels, else in
    layers from top to bottom. Arrows with the same ends are one line with several labels; arrows to a step that does
    not exist are left out. A step that holds a token has the class `held`. The same arguments give the same text.
    """
    overlay = overlay or Overlay()
    looks = _looks(definition, marking, overlay)
    lines = _lines(definition, overlay)
    blocks = [shape_of(look.step).block(look) for look in looks]
    arranged = _arranged(definition, blocks, [line.link() for line in lines])
    legend, legend_height = _legend(definition, max(arranged.width, LEGEND_WIDTH))
    centres = arranged.centres
    body = [
        *(_draw_line(line, route) for line, route in zip(lines, arranged.routes, strict=True)),
        *(_draw_step(definition, look, block, centres[block.id]) for look, block in zip(looks, blocks, strict=True)),
    ]
    return _framed(
        definition,
        "\n".join([*legend, svg.element("g", *body, transform=f"translate(0 {svg.number(legend_height)})")]),
        width=max(arranged.width, LEGEND_WIDTH if legend else 0.0),
        height=arranged.height + legend_height,
        sentences=describe(definition, marking=marking, overlay=overlay),
        ident=ident,
    )


def _framed(
    definition: Definition, body: str, *, width: float, height: float, sentences: Sequence[str], ident: str
) -> str:
    size = {"width": svg.number(round(width)), "height": svg.number(round(height))}
    return svg.element(
        "svg",
        svg.element("title", escape(definition.name), id=f"{ident}-title"),
        svg.element("desc", escape(" ".join(sentences)), id=f"{ident}-desc"),
        body,
        xmlns="http://www.w3.org/2000/svg",
        class_="diagram",
        role="img",
        aria_labelledby=f"{ident}-title",
        aria_describedby=f"{ident}-desc",
        viewBox=f"0 0 {size['width']} {size['height']}",
        **size,
        font_family=FONT,
    )


def _arranged(definition: Definition, blocks: Sequence[Block], links: Sequence[Link]) -> Arrangement:
    wanted = {block.id: Point(*definition.layout[block.id]) for block in blocks if block.id in definition.layout}
    near = all(abs(place.x) <= FARTHEST and abs(place.y) <= FARTHEST for place in wanted.values())
    if blocks and near and len(wanted) == len(blocks):
        return placed.keep(blocks, links, wanted)
    return layout.arrange(blocks, links)


# steps


def _looks(definition: Definition, marking: Marking | None, overlay: Overlay) -> list[Look]:
    """The start first, for the layout begins there; then in document order."""
    stages = {stage.id: place for place, stage in enumerate(definition.stages)}
    held = tokens_at(marking)
    return [
        Look(
            step=step,
            mark=overlay.on_step(step.id),
            stage=stages.get(step.stage) if step.stage else None,
            tokens=held[step.id],
        )
        for step in sorted(definition.steps, key=lambda step: step.kind != "start")
    ]


def _draw_step(definition: Definition, look: Look, block: Block, at: Point) -> str:
    step = look.step
    stage = definition.stages[look.stage].name if look.stage is not None else ""
    said = [name_of(step), kind_of(step), stage, here(look.tokens), *look.mark.lines, look.mark.title]
    classes = ["step", step.kind, *(["held"] if look.tokens else []), *(["hot"] if look.mark.heat else [])]
    return svg.element(
        "g",
        svg.title(dict.fromkeys(said)),
        shape_of(step).draw(look, block, at),
        class_=" ".join(classes),
        data_step=step.id,
    )


# arrows


@dataclass(frozen=True, kw_only=True)
class Line:
    """Arrows with the same ends. `texts`: the lines of its label, each with the room above it."""

    source: Step
    target: Step
    arrows: tuple[tuple[Transition, str, Mark], ...]

    @property
    def texts(self) -> tuple[tuple[str, float], ...]:
        found: list[tuple[str, float]] = []
        for _, label, mark in self.arrows:
            lines = _label_lines(label, mark)
            gap = 5.0 if found and len(self.arrows) > 1 else 0.0
            found += [(line, gap if not place else 0.0) for place, line in enumerate(lines)]
        return tuple(found)

    def link(self) -> Link:
        texts = self.texts
        return Link(
            source=self.source.id,
            target=self.target.id,
            width=max((width_of(text, NOTE) + 8 for text, _ in texts), default=0.0),
            height=sum(NOTE_LINE + gap for _, gap in texts) + 4 if texts else 0.0,
        )


def _label_lines(label: str, mark: Mark) -> tuple[str, ...]:
    """The label on at most two lines; the mark follows on the last one where there is room."""
    lines = list(wrap(label, width=LABEL_WIDTH, size=NOTE, lines=2))
    for text in mark.lines:
        joined = f"{lines[-1]} · {text}" if lines else text
        if lines and width_of(joined, NOTE) <= LABEL_WIDTH:
            lines[-1] = joined
        else:
            lines.append(cut(text, width=LABEL_WIDTH, size=NOTE))
    return tuple(lines)


def _lines(definition: Definition, overlay: Overlay) -> list[Line]:
    lines: dict[tuple[str, str], Line] = {}
    for arrow in definition.transitions:
        if not (definition.has_step(arrow.source) and definition.has_step(arrow.target)):
            continue
        source, target = definition.step(arrow.source), definition.step(arrow.target)
        line = lines.get((source.id, target.id), Line(source=source, target=target, arrows=()))
        said = (arrow, label_of(source, arrow), overlay.on_arrow(arrow.index))
        lines[source.id, target.id] = replace(line, arrows=(*line.arrows, said))
    return list(lines.values())


def _draw_line(line: Line, route: Route) -> str:
    heat = min(max(0.0, *(mark.heat for _, _, mark in line.arrows)), 1.0) if line.arrows else 0.0
    width = THIN + (THICK - THIN) * heat
    size = 7.5 + width
    *before, last = route.pieces
    d = "".join(svg.path(piece, route.bend) for piece in (*before, svg.shortened(last, route.bend, size - 1)))
    return svg.element(
        "g",
        svg.title([f"“{name_of(line.source)}” to “{name_of(line.target)}”", *_whole_labels(line)]),
        svg.element(
            "path",
            class_="line",
            d=d,
            fill="none",
            stroke="currentColor",
            stroke_opacity=0.6,
            stroke_width=width,
            stroke_dasharray=f"{svg.number(4 + width)} {svg.number(3 + width)}" if route.back else None,
        ),
        svg.element("path", class_="head", d=svg.head(last, route.bend, size), fill="currentColor", fill_opacity=0.75),
        *_label(line, route),
        class_=" ".join(["arrow", *(["back"] if route.back else []), *(["hot"] if heat else [])]),
        data_arrows=" ".join(str(arrow.index) for arrow, _, _ in line.arrows),
    )


def _whole_labels(line: Line) -> list[str]:
    return [", ".join(part for part in (label, *mark.lines, mark.title) if part) for _, label, mark in line.arrows]


def _label(line: Line, route: Route) -> list[str]:
    if route.label is None:
        return []
    y = route.label.y - line.link().height / 2 + 2
    drawn = []
    for text, gap in line.texts:
        y += gap + NOTE_LINE
        drawn.append(svg.words(text, route.label.x, y - 3.5, class_="label", size=NOTE, text_anchor="middle"))
    return drawn


# stages


def _legend(definition: Definition, width: float) -> tuple[list[str], float]:
    """The stages that have steps, with their colours; and the height it takes."""
    used = {step.stage for step in definition.steps}
    drawn: list[str] = []
    x, y = layout.MARGIN, layout.MARGIN
    for place, stage in enumerate(definition.stages):
        if stage.id not in used:
            continue
        text = cut(stage.name, width=width - 3 * layout.MARGIN, size=NOTE)
        room = width_of(text, NOTE) + 32
        if x > layout.MARGIN and x + room > width:
            x, y = layout.MARGIN, y + LEGEND_LINE
        drawn.append(_legend_entry(place, text, x, y))
        x += room
    return drawn, y + LEGEND_LINE - layout.MARGIN / 2 if drawn else 0.0


def _legend_entry(place: int, text: str, x: float, y: float) -> str:
    colour = place % len(STAGE_COLOURS)
    swatch = svg.element(
        "rect",
        class_=f"stage stage-{colour + 1}",
        x=x,
        y=y,
        width=4,
        height=14,
        rx=2,
        fill=STAGE_COLOURS[colour],
    )
    return svg.element("g", swatch, svg.words(text, x + 10, y + 11.5, class_="stage-name", size=NOTE), class_="legend")
