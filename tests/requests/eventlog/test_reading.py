from __future__ import annotations

import gzip
from itertools import islice
from pathlib import Path

import pytest

from apps.requests.eventlog.reading import Line, UnreadableLog, open_log

PLAIN = b"case,activity,at\n1,Ask,2024-01-01\n1,Give,2024-01-02\n"
TWO = [
    Line(number=2, values={"case": "1", "activity": "Ask", "at": "2024-01-01"}),
    Line(number=3, values={"case": "1", "activity": "Give", "at": "2024-01-02"}),
]


@pytest.fixture
def write(tmp_path: Path):
    def write(content: bytes, name: str = "log") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def lines_of(path: Path, **how: str) -> list[Line]:
    with open_log(path, **how) as log:
        return list(log.lines())


def read(path: Path, **how: str) -> list[tuple[int, list[str], str]]:
    return [(line.number, list(line.values.values()), line.problem) for line in lines_of(path, **how)]


def why(path: Path, **how: str) -> str:
    with pytest.raises(UnreadableLog) as refused:
        lines_of(path, **how)
    assert list(refused.value.errors) == ["log"]
    (text,) = refused.value.errors["log"]
    return text.replace(str(path), "LOG")


# --- what is read ----------------------------------------------------------------------------------------------------


def test_a_csv_gives_its_columns_and_a_line_per_record(write):
    path = write(PLAIN)
    with open_log(str(path)) as log:
        assert (log.kind, log.columns) == ("csv", ("case", "activity", "at"))
        assert list(log.lines()) == TWO


def test_gzip_is_seen_from_the_content_whatever_the_file_is_called(write):
    assert lines_of(write(gzip.compress(PLAIN), "log.csv")) == TWO


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_in_the_header(write, delimiter):
    path = write(PLAIN.replace(b",", delimiter.encode()))
    assert lines_of(path) == lines_of(path, delimiter=delimiter) == TWO


def test_delimiters_within_quotes_of_the_header_do_not_count(write):
    assert read(write(b'"a,b,c,d";e\n1;2\n')) == [(2, ["1", "2"], "")]


def test_a_given_delimiter_is_taken_whatever_the_header_looks_like(write):
    assert read(write(b"a,b;c\n1,2;3\n"), delimiter=";") == [(2, ["1,2", "3"], "")]


def test_byte_order_mark_crlf_blank_lines_and_blanks_around_names_do_not_matter(write):
    path = write(b"\xef\xbb\xbf\r\n case , activity\t,at\r\n\r\n1,Ask,2024-01-01\r\n   \r\n1,Give,2024-01-02")
    assert [(line.number, line.values) for line in lines_of(path)] == [(4, TWO[0].values), (6, TWO[1].values)]


def test_a_quoted_value_may_hold_delimiters_quotes_and_newlines(write):
    content = b'a,b\n1,"x, ""y""\r\n\nz"\n2,plain "quotes" inside\n'
    assert read(write(content)) == [(2, ["1", 'x, "y"\r\n\nz'], ""), (5, ["2", 'plain "quotes" inside'], "")]


def test_values_stay_as_they_are_written(write):
    assert read(write(b'a,b,c\n 1 ,"",=1+1\n')) == [(2, [" 1 ", "", "=1+1"], "")]


def test_a_record_of_empty_values_is_a_record(write):
    assert read(write(b"a,b\n,\n")) == [(2, ["", ""], "")]


def test_another_encoding_is_read_if_it_is_named(write):
    content = "a,b\n1,Müller €\n".encode("cp1252")
    assert read(write(content), encoding="cp1252") == [(2, ["1", "Müller €"], "")]
    assert read(write(content)) == [(2, ["1", "M\ufffdller \ufffd"], "is not valid utf-8")]


# --- broken records --------------------------------------------------------------------------------------------------


def test_a_record_with_too_few_or_too_many_values_keeps_those_it_has(write):
    assert lines_of(write(b"a,b,c\n1\n1,2,3,4\n1,2,3\n")) == [
        Line(number=2, values={"a": "1"}, problem="has 1 value, the header has 3"),
        Line(number=3, values={"a": "1", "b": "2", "c": "3"}, problem="has 4 values, the header has 3"),
        Line(number=4, values={"a": "1", "b": "2", "c": "3"}),
    ]


def test_wrong_bytes_and_nul_in_the_middle_break_only_their_own_record(write):
    assert read(write(b"a,b\n1,\xff\n2,\x00\n3,c\n")) == [
        (2, ["1", "\ufffd"], "is not valid utf-8"),
        (3, ["2", "\0"], "holds a NUL character"),
        (4, ["3", "c"], ""),
    ]


def test_an_unclosed_quote_breaks_its_own_record_and_no_other(write):
    rest = [(number, [str(number), "ok", "x"], "") for number in range(3, 503)]
    content = b'a,b,c\n2,"open,x\n' + b"".join(f"{number},ok,x\n".encode() for number in range(3, 503))
    broken, *others = read(write(content))
    assert broken == (2, ["2"], "has a quote that is not closed within 100 lines and 1 MB")
    assert others == rest


def test_an_unclosed_quote_near_the_end_of_the_file_swallows_nothing(write):
    assert read(write(b'a,b\n1,"open\n2,x\n3,y')) == [
        (2, ["1"], "is no CSV: unexpected end of data"),
        (3, ["2", "x"], ""),
        (4, ["3", "y"], ""),
    ]


def test_a_quote_closed_by_one_of_a_later_record_swallows_nothing(write):
    assert read(write(b'a,b,c\n1,"open,x\n2,y,z\n3,"fine",z\n')) == [
        (2, ["1"], "is no CSV: ',' expected after '\"'"),
        (3, ["2", "y", "z"], ""),
        (4, ["3", "fine", "z"], ""),
    ]
    assert read(write(b'a,b,c\n1,"open,x\n2,y,z\n3,y,"z"\n4,y,z\n'))[1:] == [
        (3, ["2", "y", "z"], ""),
        (4, ["3", "y", "z"], ""),
        (5, ["4", "y", "z"], ""),
    ]


def test_a_record_over_several_lines_with_the_wrong_number_of_values_swallows_nothing(write):
    assert read(write(b'a,b,c\n1,"open,x\n2,y,z\n3,y,"\n4,y,z\n')) == [
        (2, ["1"], "has 2 values, the header has 3"),
        (3, ["2", "y", "z"], ""),
        (4, ["3", "y"], "is no CSV: unexpected end of data"),
        (5, ["4", "y", "z"], ""),
    ]


def test_text_behind_a_closing_quote_is_named(write):
    assert read(write(b'a,b\n"x"y,1\n2,3\n')) == [
        (2, ["xy"], "is no CSV: ',' expected after '\"'"),
        (3, ["2", "3"], ""),
    ]


def test_a_line_of_more_than_a_megabyte_is_named_and_passed_over(write):
    assert read(write(b"a,b\n1," + b"x" * 3_000_000 + b"\n2,y\n")) == [
        (2, [], "is longer than 1 MB"),
        (3, ["2", "y"], ""),
    ]


def test_a_record_of_more_than_a_megabyte_over_several_lines_is_given_up(write):
    value = "x" * 100_000
    record = ",".join(["1", *[f'"{value}\n"'] * 12])
    first, *others = read(write(f"{','.join('abcdefghijklm')}\n{record}\n".encode()))
    assert first == (2, ["1"], "has a quote that is not closed within 100 lines and 1 MB")
    assert [number for number, _, problem in others if problem] == list(range(3, 15))


def test_a_value_may_be_as_long_as_a_record(write):
    assert read(write(b"a,b\n1," + b"x" * 200_000 + b"\n2,y\n")) == [
        (2, ["1", "x" * 200_000], ""),
        (3, ["2", "y"], ""),
    ]


# --- files that cannot be read ---------------------------------------------------------------------------------------


def test_what_is_no_file_is_named(tmp_path):
    assert why(tmp_path / "missing") == "LOG cannot be read: No such file or directory."
    assert why(tmp_path) == "LOG cannot be read: Is a directory."


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "LOG is empty."),
        (b"\xef\xbb\xbf", "LOG has no header."),
        (b"\n  \n\r\n", "LOG has no header."),
        (b"a, b,b \n1,2,3\n", "LOG has two columns named 'b'."),
        (b"a,,\n1,2,3\n", "LOG has two columns without a name."),
        (b"a,\xff\n1,2\n", "The header of LOG (line 1) is not valid utf-8."),
        (b"\x89PNG\r\n\x1a\n\0\0", "The header of LOG (line 1) is not valid utf-8."),
        (b'a,"b\n1,2\n', "The header of LOG (line 1) is no CSV: unexpected end of data."),
        (b"a" * 2_000_000, "The header of LOG (line 1) is longer than 1 MB."),
    ],
)
def test_a_file_without_a_usable_header_is_refused(write, content, problem):
    assert why(write(content)) == problem


def test_an_empty_gzip_is_an_empty_log(write):
    assert why(write(gzip.compress(b""))) == "LOG is empty."


def test_an_encoding_or_delimiter_that_cannot_be_is_refused(write):
    path = write(PLAIN)
    assert why(path, encoding="utf-9") == "There is no encoding 'utf-9'."
    assert why(path, encoding="utf-16") == "The encoding 'utf-16' cannot be read line by line; save the log as UTF-8."
    assert why(path, delimiter='"') == "'\"' cannot be a delimiter."
    assert why(path, delimiter=", ") == "', ' cannot be a delimiter."


def test_a_gzip_that_breaks_off_gives_its_lines_and_is_then_refused(write):
    many = PLAIN + b"".join(f"{number},Do,{number * 7919 % 100_003}\n".encode() for number in range(50_000))
    path = write(gzip.compress(many)[:-20_000])
    with open_log(path) as log:
        lines = log.lines()
        assert list(islice(lines, 10_000))[:2] == TWO
        with pytest.raises(UnreadableLog, match="breaks off"):
            list(lines)


def test_a_damaged_gzip_is_refused(write):
    packed = bytearray(gzip.compress(PLAIN))
    packed[15:25] = b"\xff" * 10
    assert why(write(bytes(packed))).startswith("LOG is damaged: ")
    assert why(write(gzip.compress(PLAIN)[:-8] + b"\0" * 8)) == "LOG is damaged: CRC check failed 0x0 != 0x947614f4."
    assert why(write(b"\x1f\x8b")) == "LOG breaks off: the compressed data has no end."


def test_the_file_is_closed_at_the_end(write):
    with open_log(write(gzip.compress(PLAIN))) as log:
        lines = log.lines()
        next(lines)
    with pytest.raises(ValueError, match="closed"):
        list(lines)


# --- XES -------------------------------------------------------------------------------------------------------------

XES = b"""<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1.0" xmlns="http://www.xes-standard.org/">
  <extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
  <global scope="event"><string key="concept:name" value="default"/></global>
  <classifier name="Activity" keys="concept:name"/>
  <string key="source" value="of the log"/>
  <trace>
    <string key="concept:name" value="case 1"/>
    <float key="amount" value="26.50"><string key="currency" value="EUR"/></float>
    <list key="tags"><values><string key="tag" value="x"/></values></list>
    <event>
      <string key="concept:name" value="Ask &amp; wait"/>
      <date key="time:timestamp" value="2024-01-01T00:00:00.000+01:00"/>
      <boolean key="urgent" value="true"/>
      <int key="n" value="007"><string key="unit" value="pieces"/></int>
      <id key="identity:id" value="8a"/>
      <list key="parts"><values><string key="part" value="y"/></values></list>
    </event>
    <event/>
  </trace>
  <trace><event><string key="concept:name" value="Alone"/></event></trace>
  <event><string key="concept:name" value="Loose"/></event>
</log>
"""
OF_TRACE = {"case:concept:name": "case 1", "case:amount": "26.50", "concept:name": "case 1", "amount": "26.50"}
EVENTS = [
    Line(
        number=1,
        values={
            **OF_TRACE,
            "concept:name": "Ask & wait",
            "time:timestamp": "2024-01-01T00:00:00.000+01:00",
            "urgent": "true",
            "n": "007",
            "identity:id": "8a",
        },
    ),
    Line(number=2, values=OF_TRACE),
    Line(number=3, values={"concept:name": "Alone"}),
    Line(number=4, values={"concept:name": "Loose"}),
]


def test_a_xes_event_has_its_own_attributes_and_those_of_its_trace(write):
    path = write(XES, "log.csv")
    with open_log(path) as log:
        assert (log.kind, log.columns) == ("xes", ())
        assert list(log.lines()) == EVENTS


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(XES),
        b"\xef\xbb\xbf" + XES,
        XES.replace(b' xmlns="http://www.xes-standard.org/"', b""),
        XES.replace(b"<log", b"<x:log").replace(b"</log", b"</x:log").replace(b"xmlns=", b"xmlns:x="),
        XES.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
    ],
    ids=["gzip", "byte order mark", "no namespace", "mixed prefixes", "utf-16"],
)
def test_xes_is_read_in_every_dress(write, content):
    assert lines_of(write(content)) == EVENTS


def test_an_attribute_without_key_or_value_is_a_problem_of_its_event(write):
    content = b'<log><trace><event><string key="a"/><string value="b"/><int key="c" value="1"/></event></trace></log>'
    assert lines_of(write(content)) == [Line(number=1, values={"c": "1"}, problem="has no value for 'a'")]
    content = b'<log><trace><string value="b"/><event/><event/></trace><trace><event/></trace></log>'
    assert [line.problem for line in lines_of(write(content))] == ["has a <string> without a key"] * 2 + [""]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"<log>\n<trace>\n</log>", "LOG is no well-formed XML: mismatched tag: line 3, column 2."),
        (b"<log><trace>", "LOG is no well-formed XML: no element found: line 1, column 12."),
        (b"<log>\xff</log>", "LOG is no well-formed XML: not well-formed (invalid token): line 1, column 5."),
        (b"<html/>", "LOG is no XES: its root is <html>, not <log>."),
        (b'<!DOCTYPE log [<!ENTITY a "b">]><log/>', "LOG holds a DTD or entities, which are not read."),
        (b'<!DOCTYPE log SYSTEM "http://x.example/a.dtd"><log/>', "LOG holds a DTD or entities, which are not read."),
        (
            b'<?xml version="1.0" encoding="none"?><log/>',
            "LOG is in an encoding that cannot be read: unknown encoding: none.",
        ),
    ],
)
def test_broken_and_dangerous_xml_is_refused(write, content, problem):
    assert why(write(content)) == problem


def test_events_before_the_broken_place_are_read(write):
    with open_log(write(b"<log><trace><event/></trace>\n<trace></log>")) as log:
        lines = log.lines()
        assert next(lines) == Line(number=1, values={})
        with pytest.raises(UnreadableLog, match="line 2"):
            next(lines)


def test_a_xes_gzip_that_breaks_off_is_refused(write):
    assert why(write(gzip.compress(XES)[:-12])) == "LOG breaks off: the compressed data has no end."
