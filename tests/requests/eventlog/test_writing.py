from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.requests.eventlog.reading import open_log
from apps.requests.eventlog.writing import LoggedEvent, write_csv, write_xes

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
ASKED = LoggedEvent(
    case="SR-1",
    activity="Ask, or not",
    at=datetime(2024, 7, 1, 9, tzinfo=AMSTERDAM),
    resource="=anna",
    role="requester",
    attributes={"number": "1"},
)
GIVEN = LoggedEvent(
    case="SR-1",
    activity='Give "it"',
    at=datetime(2024, 12, 1, 9, 0, 0, 250_000, tzinfo=AMSTERDAM),
    resource="",
    role="",
)
OTHER = LoggedEvent(case="SR-2", activity="Ask", at=datetime(2024, 1, 1, tzinfo=UTC), resource="bo", role="<boss>&")

XES = """<?xml version="1.0" encoding="utf-8"?>
<log xes.version="1.0" xes.features="" xmlns="http://www.xes-standard.org/">
  <extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
  <extension name="Time" prefix="time" uri="http://www.xes-standard.org/time.xesext"/>
  <extension name="Organizational" prefix="org" uri="http://www.xes-standard.org/org.xesext"/>
  <global scope="trace">
    <string key="concept:name" value=""/>
  </global>
  <global scope="event">
    <string key="concept:name" value=""/>
    <date key="time:timestamp" value="1970-01-01T00:00:00+00:00"/>
    <string key="org:resource" value=""/>
    <string key="org:role" value=""/>
  </global>
  <classifier name="Activity" keys="concept:name"/>
  <trace>
    <string key="concept:name" value="SR-1"/>
    <event>
      <string key="concept:name" value="Ask, or not"/>
      <date key="time:timestamp" value="2024-07-01T09:00:00+02:00"/>
      <string key="org:resource" value="=anna"/>
      <string key="org:role" value="requester"/>
      <string key="number" value="1"/>
    </event>
  </trace>
  <trace>
    <string key="concept:name" value="SR-2"/>
    <event>
      <string key="concept:name" value="Ask"/>
      <date key="time:timestamp" value="2024-01-01T00:00:00+00:00"/>
      <string key="org:resource" value="bo"/>
      <string key="org:role" value="&lt;boss&gt;&amp;"/>
    </event>
  </trace>
</log>
"""


def as_csv(events: list[LoggedEvent], **how: Sequence[str]) -> str:
    out = io.StringIO(newline="")
    assert write_csv(events, out, **how) == len(events)
    return out.getvalue()


def as_xes(events: list[LoggedEvent]) -> str:
    out = io.StringIO(newline="")
    assert write_xes(events, out) == len(events)
    return out.getvalue()


def test_a_csv_has_a_line_per_event_with_times_in_their_zone_and_formulas_as_they_are():
    assert as_csv([ASKED, GIVEN], attributes=["number"]).split("\r\n") == [
        "case_id,activity,timestamp,resource,role,number",
        'SR-1,"Ask, or not",2024-07-01T09:00:00+02:00,=anna,requester,1',
        'SR-1,"Give ""it""",2024-12-01T09:00:00.250000+01:00,,,',
        "",
    ]


def test_an_empty_log_is_a_header():
    assert as_csv([]) == "case_id,activity,timestamp,resource,role\r\n"


def test_an_attribute_cannot_take_the_name_of_another_column():
    with pytest.raises(ValueError, match="Two columns of one name"):
        as_csv([], attributes=["number", "role"])


def test_xes_declares_what_it_uses_and_has_a_trace_per_case():
    assert as_xes([ASKED, OTHER]) == XES


def test_what_xml_forbids_is_replaced(tmp_path):
    odd = LoggedEvent(
        case="a\0b", activity="\x1b[1m", at=OTHER.at, resource="\ud800", role="\uffff", attributes={"\b": "\x0c\t\n"}
    )
    path = tmp_path / "log.xes"
    path.write_text(as_xes([odd]), encoding="utf-8")
    with open_log(path) as log:
        (line,) = log.lines()
    assert line.values == {
        "case:concept:name": "a\ufffdb",
        "concept:name": "\ufffd[1m",
        "time:timestamp": "2024-01-01T00:00:00+00:00",
        "org:resource": "\ufffd",
        "org:role": "\ufffd",
        "\ufffd": "\ufffd\t\n",
    }


@pytest.mark.parametrize("write", [write_csv, write_xes])
def test_a_log_is_streamed(write):
    """What came before the third event is on its way before the fourth is asked for."""
    out = io.StringIO()

    def events() -> Iterator[LoggedEvent]:
        yield from (ASKED, GIVEN, OTHER)
        assert "Give" in out.getvalue()
        yield OTHER

    assert write(events(), out) == 4


# --- what was written reads the same ---------------------------------------------------------------------------------

PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
IN_XML = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff") | st.sampled_from("\t\r\n\x85"),
    max_size=12,
)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def logs(text: st.SearchStrategy[str]) -> st.SearchStrategy[list[LoggedEvent]]:
    event = st.builds(
        LoggedEvent,
        case=text,
        activity=text,
        at=st.datetimes(timezones=ZONES),
        resource=text,
        role=text,
        attributes=st.fixed_dictionaries({"one": text, "two": text}),
    )
    return st.lists(event, max_size=6)


def read_back(write: Callable[[io.TextIOBase], int], expected: int) -> list[dict[str, str]]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        with path.open("w", encoding="utf-8", newline="") as file:
            assert write(file) == expected
        with open_log(path) as log:
            lines = list(log.lines())
    assert [line.problem for line in lines] == [""] * expected
    return [dict(line.values) for line in lines]


@given(logs(PLAIN))
def test_any_csv_reads_as_it_was_written(events):
    found = read_back(lambda file: write_csv(events, file, attributes=["one", "two"]), len(events))
    assert found == [
        {
            "case_id": event.case,
            "activity": event.activity,
            "timestamp": event.at.isoformat(),
            "resource": event.resource,
            "role": event.role,
            **event.attributes,
        }
        for event in events
    ]


@given(logs(IN_XML))
def test_any_xes_reads_as_it_was_written(events):
    found = read_back(lambda file: write_xes(events, file), len(events))
    assert found == [
        {
            "case:concept:name": event.case,
            "concept:name": event.activity,
            "time:timestamp": event.at.isoformat(),
            "org:resource": event.resource,
            "org:role": event.role,
            **event.attributes,
        }
        for event in events
    ]


@given(logs(PLAIN), st.binary(max_size=60), st.integers(0, 2000))
def test_bytes_thrown_into_a_csv_never_break_the_reading(events, garbage, place):
    content = as_csv(events, attributes=["one", "two"]).encode()
    head = content.index(b"\n") + 1
    place = max(head, min(place, len(content)))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.write_bytes(content[:place] + garbage + content[place:])
        with open_log(path) as log:
            numbers = [line.number for line in log.lines()]
    assert numbers == sorted(set(numbers))
