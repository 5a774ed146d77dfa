"""How requests really went through a workflow: variants, times, and the diagram with both written on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe

from apps.core.errors import NotVisible
from apps.portal.pages import page, reader_of
from apps.portal.periods import Days
from apps.requests.process import StepFigures, Study, duration
from apps.requests.selectors.process import (
    MOST_RUNS,
    ItemWithRuns,
    Period,
    Process,
    VersionWithRuns,
    items_with_runs,
    process_of,
)
from apps.workflows.engine.definition import Definition, Transition
from apps.workflows.engine.diagram import Mark, Overlay, describe, draw


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the page shows: an item on a version, of requests submitted from a day to a day (both counted)."""

    item: ItemWithRuns
    version: VersionWithRuns
    days: Days

    @property
    def period(self) -> Period:
        return Period(since=self.days.since, until=self.days.until)


@page
@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """The figures, for administrators and auditors."""
    reader = reader_of(request)
    items = items_with_runs(reader)
    shown: dict[str, Any] = {"items": items}
    if items:
        asked = _asked(request.GET, items)
        process = process_of(
            reader, slug=asked.item.slug, version=asked.version.pk, period=asked.period, most=MOST_RUNS
        )
        shown |= {"asked": asked, "process": process, "most_runs": MOST_RUNS, **_diagram(process)}
    return render(request, "portal/process.html", shown)


def _asked(query: QueryDict, items: list[ItemWithRuns]) -> Asked:
    """The first item and its first version if none is named. A version of another item and a day that is none count as
    not named, so the form may be sent with what was chosen before. Raises NotVisible for an unknown item."""
    slug, version = query.get("item", ""), query.get("version", "")
    item = next((one for one in items if slug in ("", one.slug)), None)
    if item is None:
        raise NotVisible("Nobody has asked for this item yet, so there is nothing to show.")
    chosen = next((one for one in item.versions if str(one.pk) == version), item.versions[0])
    return Asked(item=item, version=chosen, days=Days.asked_by(query))


def _diagram(process: Process) -> dict[str, Any]:
    """The drawing and the same in words."""
    overlay = overlay_of(process.definition, process.study)
    drawing = draw(process.definition, overlay=overlay, ident="process")
    return {
        "drawing": mark_safe(drawing),  # noqa: S308 - the diagram escapes every text of the document
        "description": describe(process.definition, overlay=overlay),
    }


def overlay_of(definition: Definition, study: Study) -> Overlay:
    """How often each step and arrow was passed, warmer the more often, and the median waiting time of working steps."""
    most = max([1, *study.passed.values(), *study.arrows.values()])
    figures = {step.id: step for step in study.steps}
    return Overlay(
        steps={step.id: _step_mark(study.passed[step.id], most, figures.get(step.id)) for step in definition.steps},
        arrows={arrow.index: _arrow_mark(arrow, study, most) for arrow in definition.transitions},
    )


def _step_mark(count: int, most: int, figures: StepFigures | None) -> Mark:
    lines, said = [f"{count:,}×"], [_times(count)]
    if figures and figures.waiting.count:
        lines.append(f"median {duration(figures.waiting.median)}")
        said += [f"median {duration(figures.waiting.median)}", f"90 % within {duration(figures.waiting.p90)}"]
    if figures and figures.now:
        said.append(f"{figures.now:,} there now")
    return Mark(lines=tuple(lines), heat=count / most, title=", ".join(said))


def _arrow_mark(arrow: Transition, study: Study, most: int) -> Mark:
    """Of what leaves a step in several ways, each arrow also says its part."""
    count, left = study.arrows.get(arrow.index, 0), study.passed[arrow.source]
    part = f", {count / left:.0%} of what came to the step before".replace("%", " %") if left else ""
    return Mark(lines=(f"{count:,}×",), heat=count / most, title=_times(count) + part)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
