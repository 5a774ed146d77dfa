from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace
from itertools import combinations, pairwise
from math import hypot
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.workflows.engine.definition import Definition, Outcome, Stage, Step, Transition
from apps.workflows.engine.diagram import Mark, Overlay, describe, draw
from apps.workflows.engine.diagram.graph import Arrangement, Bend, Block, Link, Point, Route
from apps.workflows.engine.diagram.layout import arrange, spread
from apps.workflows.engine.diagram.placed import keep
from apps.workflows.engine.diagram.text import clean, cut, escape, width_of, wrap
from apps.workflows.engine.document import compile_document
from apps.workflows.engine.marking import Marking, Token
from tests.costs import lines_of
from tests.engine.documents import arrow, document, expenses, single, task, wait

SVG = "{http://www.w3.org/2000/svg}"
KINDS = ("task", "approval", "action", "wait", "race", "subflow", "choice", "split", "join", "end", "no-such-kind")


def box(name: str, *, width: float = 100, height: float = 50) -> Block:
    half = width / 2
    return Block(
        id=name, half=half, height=height, left=half, right=half, ports=half - 10, outline=lambda _: height / 2
    )


def boxes(names: str) -> list[Block]:
    return [box(name) for name in names.split()]


def links(pairs: str) -> list[Link]:
    """ "a-b" is a link from a to b."""
    return [Link(source=pair.split("-")[0], target=pair.split("-")[1]) for pair in pairs.split()]


def layers(names: str, pairs: str) -> list[str]:
    return [" ".join(layer) for layer in arrange(boxes(names), links(pairs)).layers]


def definition(steps: list[Step], arrows: list[tuple[str, str]], **more: Any) -> Definition:
    """A definition that no gate has seen."""
    transitions = tuple(Transition(index=n, source=a, target=b) for n, (a, b) in enumerate(arrows))
    empty: dict[str, Any] = {"workflow": "w", "name": "W", "format": 1, "reopen": None, "stages": (), "hash": ""}
    return Definition(**{**empty, "steps": tuple(steps), "transitions": transitions, **more})


def step(step_id: str, kind: str = "task", **more: Any) -> Step:
    return Step(**{"id": step_id, "kind": kind, "name": step_id, **more})


def at(*steps: str) -> Marking:
    tokens = (Token(id=n, step=name, came_from=None, seq=n) for n, name in enumerate(steps, start=1))
    return Marking(tokens=tuple(tokens), next=len(steps) + 1)


def parts(drawn: str, kind: str) -> list[ET.Element]:
    """The groups of that class: step, arrow, legend."""
    return [found for found in ET.fromstring(drawn).iter(f"{SVG}g") if kind in found.get("class", "").split()]


def part(drawn: str, step_id: str) -> ET.Element:
    return next(found for found in parts(drawn, "step") if found.get("data-step") == step_id)


def texts(element: ET.Element) -> list[str]:
    return [found.text or "" for found in element.iter(f"{SVG}text")]


def hover(element: ET.Element) -> str:
    return element.findtext(f"{SVG}title") or ""


# layers and order


def test_a_chain_has_a_layer_per_block_and_stands_upright():
    arranged = arrange(boxes("a b c"), links("a-b b-c"))
    assert arranged.layers == (("a",), ("b",), ("c",))
    assert arranged.centres == {"a": Point(66, 41), "b": Point(66, 129), "c": Point(66, 217)}
    assert (arranged.width, arranged.height) == (132, 258)


def test_a_block_stands_below_the_longest_way_to_it():
    assert layers("a b c d", "a-d a-b b-c c-d") == ["a", "b", "c", "d"]


def test_an_arrow_back_changes_no_layer_and_is_drawn_upward():
    arranged = arrange(boxes("a b c"), links("a-b b-c c-a"))
    assert arranged.layers == (("a",), ("b",), ("c",))
    assert [route.back for route in arranged.routes] == [False, False, True]
    start, end = arranged.routes[2].pieces[0][0], arranged.routes[2].pieces[0][-1]
    assert (start.y, end.y) == (arranged.centres["c"].y - 25, arranged.centres["a"].y + 25)


def test_neighbours_are_ordered_so_that_lines_do_not_cross():
    assert layers("a b c d e", "a-b a-c b-e c-d") == ["a", "b c", "e d"]


def test_blocks_that_nothing_leads_to_are_in_the_first_layer():
    assert layers("a b lonely", "a-b") == ["a lonely", "b"]


def test_branches_stand_symmetrically_around_the_middle():
    centres = arrange(boxes("a b c d"), links("a-b a-c b-d c-d")).centres
    assert centres["a"].x == centres["d"].x == (centres["b"].x + centres["c"].x) / 2
    assert centres["c"].x - centres["b"].x == 124


def test_a_long_arrow_is_straight_where_it_passes_blocks():
    arranged = arrange(boxes("a b c d"), links("a-b b-c c-d a-d"))
    (way,) = arranged.routes[3].pieces
    assert len({point.x for point in way[2:-2]}) == 1


def test_nothing_to_arrange_is_only_a_margin():
    assert arrange([], []) == Arrangement(width=32, height=32, centres={}, routes=())


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        ([], []),
        ([5.0], [5.0]),
        ([-9.0], [0.0]),
        ([4.0, 4.0], [0.0, 10.0]),
        ([50.0, 50.0], [45.0, 55.0]),
        ([20.0, 99.0], [20.0, 99.0]),
        ([500.0, 500.0, 500.0], [80.0, 90.0, 100.0]),
    ],
)
def test_arrows_touch_a_block_near_where_they_go_and_apart(wanted, places):
    assert spread(wanted, 0.0, 100.0, 10.0) == places


def test_arrows_share_a_side_that_is_too_short_for_them():
    assert spread([0.0, 0.0, 0.0], 0.0, 10.0, 18.0) == [0.0, 5.0, 10.0]


# what holds for every layout

NAMES = [f"b{number}" for number in range(9)]
SIZES = st.sampled_from([30.0, 60.0, 100.0, 180.0])


@st.composite
def graphs(draw_from: st.DrawFn) -> tuple[list[Block], list[Link]]:
    """Blocks of all sizes and links between any of them, also to themselves, with and without labels."""
    names = NAMES[: draw_from(st.integers(1, len(NAMES)))]
    blocks = [box(name, width=draw_from(SIZES), height=draw_from(SIZES)) for name in names]
    pairs = draw_from(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names)), max_size=16, unique=True))
    labels = st.sampled_from([(0.0, 0.0), (40.0, 19.0), (120.0, 64.0)])
    found = []
    for source, target in pairs:
        width, height = draw_from(labels)
        found.append(Link(source=source, target=target, width=width, height=height))
    return blocks, found


def room(centre: Point, width: float, height: float) -> tuple[float, float, float, float]:
    return centre.x - width / 2, centre.y - height / 2, centre.x + width / 2, centre.y + height / 2


def overlap(one: tuple[float, ...], other: tuple[float, ...], slack: float = 0.01) -> bool:
    return all(one[side] < other[side + 2] - slack and other[side] < one[side + 2] - slack for side in (0, 1))


def rooms(arranged: Arrangement, blocks: list[Block], drawn: list[Link]) -> list[tuple[float, float, float, float]]:
    """What blocks and labels take up."""
    taken = [room(arranged.centres[block.id], 2 * block.half, block.height) for block in blocks]
    labels = zip(arranged.routes, drawn, strict=True)
    return taken + [room(route.label, link.width, link.height) for route, link in labels if route.label]


def points_of(route: Route) -> list[Point]:
    """Points along the drawn line, close to each other. A bend is a cubic curve, upright at both ends."""
    found = []
    for before, after in (ends for piece in route.pieces for ends in pairwise(piece)):
        middle = (before.y + after.y) / 2
        for t in (n / 12 for n in range(13)):
            x = before.x * (1 - t) ** 2 * (1 + 2 * t) + after.x * t**2 * (3 - 2 * t)
            ends_y = before.y * (1 - t) ** 3 + after.y * t**3
            found.append(Point(x, ends_y + 3 * middle * t * (1 - t)))
    return found


@given(graphs())
def test_no_block_or_label_lies_over_another(graph):
    blocks, drawn = graph
    for one, other in combinations(rooms(arrange(blocks, drawn), blocks, drawn), 2):
        assert not overlap(one, other)


@given(graphs())
def test_no_line_crosses_a_block_or_a_label(graph):
    blocks, drawn = graph
    arranged = arrange(blocks, drawn)
    taken = rooms(arranged, blocks, drawn)
    for route in (route for route in arranged.routes if route.bend is Bend.UPRIGHT):
        for x, y in points_of(route):
            assert not any(overlap((x, y, x, y), other, slack=0.5) for other in taken)


def on_outline(point: Point, centre: Point, block: Block) -> bool:
    x, y = abs(point.x - centre.x), abs(point.y - centre.y)
    beside = abs(x - block.half) < 0.01 and y <= block.height / 2 + 0.01
    return beside or (abs(y - block.height / 2) < 0.01 and x <= block.half + 0.01)


def assert_ends_on_its_blocks(arranged: Arrangement, blocks: list[Block], drawn: list[Link]) -> None:
    by_id = {block.id: block for block in blocks}
    for route, link in zip(arranged.routes, drawn, strict=True):
        ends = ((route.pieces[0][0], link.source), (route.pieces[-1][-1], link.target))
        assert all(on_outline(point, arranged.centres[name], by_id[name]) for point, name in ends)


@given(graphs())
def test_every_arrow_ends_on_its_blocks(graph):
    assert_ends_on_its_blocks(arrange(*graph), *graph)


@given(graphs())
def test_everything_lies_within_the_drawing(graph):
    blocks, drawn = graph
    arranged = arrange(blocks, drawn)
    for left, top, right, bottom in rooms(arranged, blocks, drawn):
        assert 0 <= left <= right <= arranged.width
        assert 0 <= top <= bottom <= arranged.height


@given(graphs())
def test_the_same_graph_is_arranged_the_same_way(graph):
    assert arrange(*graph) == arrange(*graph)


# where somebody placed the steps


def test_placed_blocks_keep_their_distances_and_move_to_the_margin():
    places = {"a": Point(1000, 500), "b": Point(1200, 600)}
    assert keep(boxes("a b"), links("a-b"), places).centres == {"a": Point(66, 41), "b": Point(266, 141)}


def test_a_block_placed_over_another_moves_down():
    places = {"a": Point(0, 0), "b": Point(10, 5)}
    assert keep(boxes("a b"), [], places).centres == {"a": Point(66, 41), "b": Point(76, 103)}


def test_a_label_lies_on_its_straight_line_and_interrupts_it():
    link = Link(source="a", target="b", width=40, height=19)
    (route,) = keep(boxes("a b"), [link], {"a": Point(0, 0), "b": Point(0, 300)}).routes
    assert (route.bend, route.label) == (Bend.STRAIGHT, Point(66, pytest.approx(191)))
    assert [len(piece) for piece in route.pieces] == [2, 2]
    assert route.pieces[0][1].y <= 181.5
    assert route.pieces[1][0].y >= 200.5


@given(graphs(), st.lists(st.tuples(st.integers(-300, 300), st.integers(-300, 300)), min_size=9, max_size=9))
def test_placed_blocks_never_overlap_and_their_arrows_end_on_them(graph, places):
    blocks, drawn = graph
    arranged = keep(blocks, drawn, dict(zip(NAMES, (Point(*place) for place in places), strict=True)))
    taken = [room(arranged.centres[block.id], 2 * block.half, block.height) for block in blocks]
    assert not any(overlap(one, other) for one, other in combinations(taken, 2))
    assert_ends_on_its_blocks(arranged, blocks, drawn)


def test_the_layout_of_a_document_is_followed_only_if_it_places_every_step():
    whole = single(task(), layout={"start": [0, 0], "work": [300, 0], "paid": [600, 0]})
    partly = single(task(), layout={"start": [0, 0], "work": [300, 0]})
    assert compile_document(whole).layout == {"start": (0.0, 0.0), "work": (300.0, 0.0), "paid": (600.0, 0.0)}
    assert compile_document(single(task())).layout == {}
    assert draw(compile_document(whole)) != draw(compile_document(single(task())))
    assert draw(compile_document(partly)) == draw(compile_document(single(task())))


def test_a_layout_far_beyond_any_screen_is_not_followed():
    far = single(task(), layout={"start": [0, 0], "work": [300, 0], "paid": [2**53, 0]})
    assert draw(compile_document(far)) == draw(compile_document(single(task())))


# the drawing


def test_the_drawing_is_an_image_with_a_title_and_a_description():
    drawn = draw(compile_document(expenses()), ident="d7")
    root = ET.fromstring(drawn)
    title, description = root[0], root[1]
    assert (root.tag, root.get("role")) == (f"{SVG}svg", "img")
    assert (root.get("aria-labelledby"), root.get("aria-describedby")) == ("d7-title", "d7-desc")
    assert (title.get("id"), title.text) == ("d7-title", "Expenses")
    assert (description.get("id"), description.text) == ("d7-desc", " ".join(describe(compile_document(expenses()))))
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"


def test_every_step_and_every_line_is_drawn_once():
    drawn = draw(compile_document(expenses()))
    assert [found.get("data-step") for found in parts(drawn, "step")] == [
        *("start", "review", "mend", "big", "board", "mark", "pause", "paid", "no")
    ]
    assert [found.get("data-arrows") for found in parts(drawn, "arrow")] == [str(number) for number in range(12)]


def test_a_step_looks_by_its_kind():
    shapes = {
        found.get("data-step"): next(each.tag for each in found if each.get("class") in ("shape", "bar"))
        for found in parts(draw(definition([step(kind, kind) for kind in ("start", *KINDS)], [])), "step")
    }
    cards = dict.fromkeys(("task", "approval", "action", "wait", "race", "subflow", "no-such-kind"), f"{SVG}rect")
    bars = dict.fromkeys(("split", "join"), f"{SVG}rect")
    assert shapes == {"start": f"{SVG}circle", "end": f"{SVG}circle", "choice": f"{SVG}path", **cards, **bars}


def test_a_step_says_its_kind_its_name_and_its_marks():
    overlay = Overlay(steps={"work": Mark(lines=("10,357 visits", "median 2 h 5 min"), title="Since 1 May")})
    drawn = draw(compile_document(single(task(name="Pay out"))), overlay=overlay)
    assert texts(part(drawn, "work")) == ["Task", "Pay out", "10,357 visits", "median 2 h 5 min"]
    assert hover(part(drawn, "work")) == "Pay out; Task; 10,357 visits; median 2 h 5 min; Since 1 May"


def test_a_start_or_end_without_a_name_is_called_by_what_it_is():
    drawn = draw(compile_document(single(task())))
    assert (texts(part(drawn, "start")), texts(part(drawn, "paid"))) == (["Start"], ["Completed"])


def test_a_step_that_holds_a_token_is_held_and_says_how_many():
    drawn = draw(compile_document(expenses()), marking=at("board", "mend", "mend"))
    held = [found.get("data-step") for found in parts(drawn, "held")]
    assert held == ["mend", "board"]
    assert texts(part(drawn, "mend"))[-1] == "2"
    assert hover(part(drawn, "board")) == "board; Approval; here now"
    assert parts(draw(compile_document(expenses()), marking=Marking.empty()), "held") == []


def test_heat_tints_a_step_and_widens_an_arrow():
    overlay = Overlay(steps={"work": Mark(heat=1.0)}, arrows={1: Mark(heat=0.5)})
    drawn = draw(compile_document(single(task())), overlay=overlay)
    shape = next(found for found in part(drawn, "work") if found.get("class") == "shape")
    widths = [
        found.get("stroke-width") for found in ET.fromstring(drawn).iter(f"{SVG}path") if found.get("class") == "line"
    ]
    assert (shape.get("fill"), shape.get("fill-opacity")) == ("#e07b00", "0.46")
    assert widths == ["1.5", "4.25"]
    assert [found.get("class") for found in parts(drawn, "hot")] == ["arrow hot", "step task hot"]


def test_labels_are_outcomes_guards_and_otherwise_and_a_plain_arrow_has_none():
    labels = [texts(found) for found in parts(draw(compile_document(expenses())), "arrow")]
    assert labels == [
        *([], ["Approved"], ["Rejected"], ["Returned"], [], ["amount > 1000"]),
        *(["otherwise"], ["Approved"], ["Rejected"], ["Returned"], [], []),
    ]


def two_ways() -> dict[str, Any]:
    """A task with two buttons that lead to the same end."""
    outcomes = [{"id": "yes", "label": "Yes"}, {"id": "sure", "label": "Yes, surely"}]
    ways = [arrow("work", "paid", outcome="yes"), arrow("work", "paid", outcome="sure")]
    return document([task(outcomes=outcomes)], [arrow("start", "work"), *ways])


def test_arrows_with_the_same_ends_are_one_line_with_all_labels():
    overlay = Overlay(arrows={1: Mark(lines=("9,914",), title="96 %"), 2: Mark(lines=("12",))})
    line = parts(draw(compile_document(two_ways()), overlay=overlay), "arrow")[1]
    assert line.get("data-arrows") == "1 2"
    assert texts(line) == ["Yes · 9,914", "Yes, surely · 12"]
    assert hover(line) == "“work” to “Completed”; Yes, 9,914, 96 %; Yes, surely, 12"


def test_a_step_may_lead_to_itself():
    looping = definition([step("start", "start"), step("a")], [("start", "a"), ("a", "a")])
    route = parts(draw(looping), "arrow")[1][1].get("d", "")
    assert (route.count("M"), route.count("C")) == (1, 1)


def test_an_arrow_to_a_step_that_does_not_exist_is_left_out():
    broken = definition([step("a")], [("a", "gone"), ("gone", "a")])
    assert parts(draw(broken), "arrow") == []
    assert describe(broken) == ("“a” leads nowhere.",)


def test_stages_with_steps_are_told_once_and_coloured():
    stages = (Stage(id="s", name="Approval"), Stage(id="t", name="Nobody"), Stage(id="u", name="Payment"))
    drawn = draw(definition([step("a", stage="s"), step("b", stage="u"), step("c")], [], stages=stages))
    edges = {
        found.get("data-step"): [each.get("class") for each in found if "stage" in each.get("class", "")]
        for found in parts(drawn, "step")
    }
    assert [texts(found) for found in parts(drawn, "legend")] == [["Approval"], ["Payment"]]
    assert edges == {"a": ["stage stage-1"], "b": ["stage stage-3"], "c": []}
    assert hover(part(drawn, "b")) == "b; Task; Payment"


def test_an_empty_definition_is_an_empty_picture():
    drawn = draw(definition([], []))
    assert (parts(drawn, "step"), describe(definition([], []))) == ([], ())


# the text alternative


def test_each_step_is_a_sentence_with_its_arrows():
    assert describe(compile_document(expenses()), marking=at("board")) == (
        "“Start” leads to “Review”.",
        "“Review” leads to “Above 1000?” (Approved), “Rejected” (Rejected) and “mend” (Returned).",
        "“mend” leads to “Review”.",
        "“Above 1000?” leads to “board” (amount > 1000) and “mark” (otherwise).",
        "“board” (here now) leads to “mark” (Approved), “Rejected” (Rejected) and “mend” (Returned).",
        "“mark” leads to “pause”.",
        "“pause” leads to “Completed”.",
        "“Completed” is an end.",
        "“Rejected” is an end.",
    )


def test_marks_are_said_and_arrows_with_the_same_ends_stay_apart():
    overlay = Overlay(
        steps={"work": Mark(lines=("10,357 visits", "median 2 h"))},
        arrows={1: Mark(lines=("9,914",)), 2: Mark(lines=("12",))},
    )
    assert describe(compile_document(two_ways()), marking=at("work", "work"), overlay=overlay)[1] == (
        "“work” (here now 2 times, 10,357 visits, median 2 h) "
        "leads to “Completed” (Yes, 9,914) and “Completed” (Yes, surely, 12)."
    )


def test_a_step_that_leads_to_itself_says_so():
    outcomes = (Outcome(id="again", label="Again"), Outcome(id="late", label="Late"))
    arrows = (
        Transition(index=0, source="a", target="a", outcome="again"),
        Transition(index=1, source="a", target="b", deadline="late"),
        Transition(index=2, source="a", target="b", outcome="unheard"),
    )
    looping = replace(definition([step("a", outcomes=outcomes), step("b")], []), transitions=arrows)
    assert describe(looping)[0] == "“a” leads to itself (Again), “b” (deadline late) and “b” (unheard)."


# texts


EVIL = "<script>alert('1')</script> \"&\" ]]> \x00\x1b\x7f\ud800\ufffe\u2028 {{ x }} <!--"


def test_texts_of_staff_are_only_ever_text():
    outcomes = (Outcome(id="o", label=EVIL),)
    evil = definition(
        [
            step('a"b<c>', name=EVIL, stage="s", outcomes=outcomes),
            step("x", EVIL),
            step("ch", "choice", name=EVIL),
        ],
        [],
        name=EVIL,
        stages=(Stage(id="s", name=EVIL),),
        transitions=(Transition(index=0, source='a"b<c>', target="x", outcome="o"),),
    )
    mark = Mark(lines=(EVIL,), title=EVIL)
    drawn = draw(evil, overlay=Overlay(steps={"x": mark}, arrows={0: mark}), ident='i"><script>')
    tags = {found.tag.removeprefix(SVG) for found in ET.fromstring(drawn).iter()}
    assert tags == {"svg", "title", "desc", "g", "rect", "path", "text"}
    assert "<script" not in drawn
    assert part(drawn, 'a"b<c>').get("data-step") == 'a"b<c>'


def test_the_drawing_needs_nothing_else_and_styles_nothing():
    overlay = Overlay(steps={"review": Mark(heat=0.3)}, arrows={0: Mark(heat=0.3)})
    drawn = draw(compile_document(expenses()), marking=at("big", "paid"), overlay=overlay)
    names = {name for found in ET.fromstring(drawn).iter() for name in found.attrib}
    assert not names & {"style", "href", "src", "onload"}
    assert ("url(" in drawn, "<style" in drawn, drawn.count("http")) == (False, False, 1)


def test_characters_that_xml_forbids_are_replaced_and_lines_joined():
    assert clean(" a\n b\tc\x00\ud800\ufffe ") == "a b c\ufffd\ufffd\ufffd"
    assert escape("<a href=\"x\" title='y'>&") == "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;"


def test_long_texts_are_wrapped_at_blanks_and_cut_with_an_ellipsis():
    assert wrap("Approval by the line manager", width=120, size=14, lines=2) == ("Approval by the", "line manager")
    assert wrap("Approval by the line manager", width=70, size=14, lines=2) == ("Approval", "by the l…")
    assert wrap("Donaudampfschiff", width=60, size=14, lines=9) == ("Donaud", "ampfsc", "hiff")
    assert wrap("", width=60, size=14, lines=2) == ()
    assert cut("short", width=60, size=14) == "short"


@given(st.text(), st.integers(40, 200), st.integers(1, 4))
def test_wrapped_lines_fit(text, width, lines):
    found = wrap(text, width=width, size=12, lines=lines)
    assert len(found) <= lines
    assert all(width_of(line, 12) <= width for line in found)


def test_the_whole_of_a_cut_name_is_shown_on_hover():
    name = "A name " * 28
    drawn = draw(compile_document(single({**wait(seconds=60), "name": name.strip()})))
    assert hover(part(drawn, "wait")) == f"{name.strip()}; Wait"
    assert texts(part(drawn, "wait"))[-1].endswith("…")


# any document


@st.composite
def definitions(draw_from: st.DrawFn) -> Definition:
    """Steps of any kind and name, arrows between any of them, sound or not."""
    kinds = draw_from(st.lists(st.sampled_from(KINDS), min_size=1, max_size=8))
    outcomes = (Outcome(id="o", label=draw_from(st.text(max_size=40))), Outcome(id="p", label="P"))
    steps = [
        step(
            f"s{number}",
            kind,
            name=draw_from(st.text(max_size=60)),
            stage="t" if number % 2 else None,
            outcomes=outcomes,
        )
        for number, kind in enumerate(kinds)
    ]
    names = st.sampled_from([each.id for each in steps])
    pairs = draw_from(st.lists(st.tuples(names, names, st.sampled_from(["o", "p", None])), max_size=14))
    arrows = tuple(
        Transition(index=number, source=source, target=target, outcome=outcome)
        for number, (source, target, outcome) in enumerate(pairs)
    )
    places = draw_from(
        st.just({}) | st.fixed_dictionaries({each.id: st.tuples(*[st.floats(-500, 500)] * 2) for each in steps})
    )
    stages = (Stage(id="t", name=draw_from(st.text(max_size=20))),)
    return replace(definition(steps, [], stages=stages, layout=places), transitions=arrows)


@given(definitions())
def test_every_definition_is_drawn_well_formed_and_the_same_twice(drawn_from):
    marking = at(drawn_from.steps[0].id)
    overlay = Overlay(
        arrows={0: Mark(lines=("1",), heat=1.0)}, steps={drawn_from.steps[0].id: Mark(lines=("2",), heat=2.0)}
    )
    drawn = draw(drawn_from, marking=marking, overlay=overlay)
    steps = Counter(found.get("data-step") for found in parts(drawn, "step"))
    arrows = sorted(int(number) for found in parts(drawn, "arrow") for number in found.get("data-arrows", "").split())
    assert steps == Counter(each.id for each in drawn_from.steps)
    assert arrows == [each.index for each in drawn_from.transitions]
    assert draw(drawn_from, marking=marking, overlay=overlay) == drawn


@given(definitions())
def test_every_step_and_arrow_is_said_once_in_the_text_alternative(drawn_from):
    named = replace(drawn_from, steps=tuple(replace(each, name=f"The {each.id} step") for each in drawn_from.steps))
    overlay = Overlay(arrows={each.index: Mark(lines=(f"arrow {each.index}.",)) for each in named.transitions})
    sentences = describe(named, overlay=overlay)
    assert [sentence.split("”")[0] for sentence in sentences] == [f"“The {each.id} step" for each in named.steps]
    whole = " ".join(sentences)
    assert all(whole.count(f"arrow {each.index}.") == 1 for each in named.transitions)


def test_two_hundred_steps_are_drawn_in_four_million_lines():
    """Some tenths of a second, counted so that a busy machine does not matter."""
    names = [f"s{number}" for number in range(200)]
    across = [(names[number], names[number * 37 % 200]) for number in range(0, 200, 4)]
    large = definition([step(name) for name in names], [*pairwise(names), *across])
    assert len(parts(draw(large), "step")) == 200
    assert lines_of(lambda: draw(large)) < 4_000_000


def test_points_of_a_route_are_close():
    """The measure itself: else a line could jump over a block unseen."""
    (route,) = arrange(boxes("a b"), links("a-b")).routes
    found = points_of(route)
    assert max(hypot(after.x - before.x, after.y - before.y) for before, after in pairwise(found)) < 10
