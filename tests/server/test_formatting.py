"""Results as text: within the budget, and readable back into the very same values."""

import json
import math
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sql_env.server.engine import Engine
from sql_env.server.formatting import Shown, json_value, quoted_if_needed, show_known, show_result, show_table
from sql_env.server.sandbox import QueryResult
from sql_env.server.schema import Column, ForeignKey, Schema, Table

CELL = re.compile(r'("(?:[^"\\]|\\.)*"|[^"|\n]+?)(?: \| |$)')


def result(*rows: Any, columns: tuple[str, ...] | None = None, total: int | None = None, complete: bool = True) -> Any:
    names = columns or tuple(f"c{i}" for i in range(len(rows[0]) if rows else 1))
    return QueryResult(names, tuple(rows), len(rows) if total is None else total, complete, frozenset(), 0)


def split(line: str) -> list[str]:
    cells = CELL.findall(line)
    assert " | ".join(cells) == line
    return cells


def value(cell: str) -> Any:
    """Read a cell as the module's docstring says that it is written."""
    if cell == "NULL":
        return None
    if cell.startswith('"'):
        return json.loads(cell)
    if cell.startswith("x'"):
        return bytes.fromhex(cell[2:-1])
    if re.fullmatch(r"-?\d+", cell, re.ASCII):
        return int(cell)
    if re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?", cell, re.ASCII):
        return float(cell)
    return {"Infinity": math.inf, "-Infinity": -math.inf}.get(cell, cell)


def exact(rows: Any) -> list[str]:
    return [repr([*row]) for row in rows]


TEXT = (
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.text("nulNone 0123.-+e\"'|,\n\t x\\", max_size=8)
    | st.sampled_from(
        "NULL null None 12 012 1.5 1e5 -3 +1 .5 5. inf -Infinity nan x'00' x' (1 row) 0x1F 1,2 --".split()
    )
    | st.builds(str.__mul__, st.sampled_from(["x", "é", '"', "\n"]), st.integers(250, 700))
)
VALUES = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXT
SMALL_BLOBS = st.binary(max_size=64)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@st.composite
def results(draw: Any, values: Any = VALUES | SMALL_BLOBS, names: Any = NAMES) -> QueryResult:
    columns = draw(st.lists(names, min_size=1, max_size=5))
    rows = draw(st.lists(st.tuples(*[values] * len(columns)), max_size=25))
    more = draw(st.sampled_from([0, 0, 0, 1, 100]))
    complete = draw(st.booleans()) if more else True
    return QueryResult(tuple(columns), tuple(rows), len(rows) + more, complete, frozenset(), 0)


ANY = results(VALUES | st.binary(max_size=200), NAMES | st.text('ab|"\n', min_size=100, max_size=1500))


@settings(max_examples=400)
@given(ANY, st.integers(1, 30), st.integers(200, 3000))
def test_the_text_keeps_to_rows_and_characters(found: QueryResult, max_rows: int, max_chars: int) -> None:
    shown = show_result(found, max_rows, max_chars)
    assert len(shown.text) <= max_chars
    assert len(shown.rows) <= max_rows
    assert shown.text.count("\n") == len(shown.rows) + 1
    assert shown.total_rows == found.total_rows
    assert len(shown.columns) == len(found.columns)
    json.dumps([shown.columns, shown.rows], allow_nan=False)


@settings(max_examples=400)
@given(results(), st.integers(1, 30), st.sampled_from([900, 2000, 20_000]))
def test_the_text_says_as_much_as_the_result_or_that_something_is_missing(
    found: QueryResult, max_rows: int, max_chars: int
) -> None:
    shown = show_result(found, max_rows, max_chars)
    header, *lines = shown.text.split("\n")
    whole = found.complete and len(shown.rows) == found.total_rows and not any(map(clipped, found.rows))
    assert shown.truncated is not whole
    if whole:
        assert [str(json.loads(c)) if c[0] == '"' else c for c in split(header)] == list(found.columns)
        assert exact([map(value, split(line)) for line in lines[:-1]]) == exact(found.rows)


def clipped(row: tuple[Any, ...]) -> bool:
    """Whether a cell of text is too long to be shown whole."""
    return any(isinstance(cell, str) and len(cell) > 300 for cell in row)


@settings(max_examples=300)
@given(results(VALUES | SMALL_BLOBS))
def test_rows_as_data_are_the_rows_of_the_text(found: QueryResult) -> None:
    shown = show_result(found, 20, 2000)
    lines = shown.text.split("\n")[1:-1]
    assert len(lines) == len(shown.rows)
    for line, data, row in zip(lines, shown.rows, found.rows, strict=False):
        if not clipped(row):
            assert exact([map(json_value, map(value, split(line)))]) == exact([data])


@pytest.mark.parametrize(
    "text",
    [
        *(
            "12",
            "-12",
            "+12",
            "012",
            "1.5",
            ".5",
            "5.",
            "1e5",
            "1E-5",
            "NULL",
            "null",
            "None",
            "nOnE",
            "",
            " ",
            "a ",
            " a",
        ),
        *(
            " a",
            "a|b",
            "a | b",
            '"',
            '"a"',
            'say "x"',
            "a\nb",
            "a\r",
            "\t",
            "\0",
            "\x7f",
            "inf",
            "-inf",
            "Infinity",
            "nan",
        ),
        *("x'00'", "X'", "\u00a0a", "１２", "\n", "12\n", "NULL\n", "2020-01-01"),
    ],
)
def test_text_that_could_be_mistaken_is_quoted(text: str) -> None:
    line = show_result(result((text,)), 20, 2000).text.split("\n")[1]
    assert line.startswith('"')
    assert json.loads(line) == text


@pytest.mark.parametrize(
    "text", ["a", "two words", "it's", "a,b", "#1", "12a", "12 a", "nullable", "a'b", "日本", "…", "(1 row)", "\\"]
)
def test_other_text_is_bare(text: str) -> None:
    assert show_result(result((text,)), 20, 2000).text.split("\n")[1] == text


@pytest.mark.parametrize("separator", ["\x85", "\u2028", "\u2029"])
def test_a_bare_cell_is_one_line(separator: str) -> None:
    assert len(show_result(result((f"a{separator}b",)), 20, 2000).text.splitlines()) == 3


@pytest.mark.parametrize(
    ("cell", "written", "data"),
    [
        (None, "NULL", None),
        (12, "12", 12),
        (12.0, "12.0", 12.0),
        (-0.0, "-0.0", -0.0),
        (0.1 + 0.2, "0.30000000000000004", 0.1 + 0.2),
        (1e300, "1e+300", 1e300),
        (math.inf, "Infinity", "Infinity"),
        (-math.inf, "-Infinity", "-Infinity"),
        (2**53, "9007199254740992", 2**53),
        (2**53 + 1, "9007199254740993", "9007199254740993"),
        (-(2**63), "-9223372036854775808", "-9223372036854775808"),
        (b"", "x''", "x''"),
        (b"\x00\xff", "x'00ff'", "x'00ff'"),
        (b"\0" * 64, f"x'{'00' * 64}'", f"x'{'00' * 64}'"),
        (b"\0" * 65, f"x'{'00' * 64}…'", f"x'{'00' * 64}…'"),
        ("x" * 300, "x" * 300, "x" * 300),
        ("x" * 301, "x" * 299 + "…", "x" * 299 + "…"),
        ("02647", '"02647"', "02647"),
        ("\ufffd", "\ufffd", "\ufffd"),
    ],
)
def test_cells(cell: Any, written: str, data: Any) -> None:
    shown = show_result(result((cell,)), 20, 2000)
    assert shown.text == f"c0\n{written}\n(1 row)"
    assert repr(shown.rows) == repr([[data]])
    assert repr(json_value(cell)) == repr(data)


@pytest.mark.parametrize(
    ("found", "max_rows", "last", "truncated"),
    [
        (result(), 20, "(0 rows)", False),
        (result((1,)), 20, "(1 row)", False),
        (result(*[(1,)] * 20), 20, "(20 rows)", False),
        (result(*[(1,)] * 20), 19, "(19 of 20 rows)", True),
        (result(*[(1,)] * 20, total=1000), 20, "(20 of 1,000 rows)", True),
        (result(*[(1,)] * 20, total=1000, complete=False), 20, "(20 of more than 1,000 rows)", True),
        (result(total=3), 20, "(no row fits here; select fewer columns, or cut text with substr())", True),
        (result(("x" * 301,)), 20, "(1 row)", True),
        (result(*[("x" * 300,)] * 7), 20, "(6 of 7 rows)", True),
        (
            result(tuple(["x" * 300] * 7)),
            20,
            "(no row fits here; select fewer columns, or cut text with substr())",
            True,
        ),
    ],
)
def test_the_last_line_counts(found: QueryResult, max_rows: int, last: str, truncated: bool) -> None:
    shown = show_result(found, max_rows, 2000)
    assert shown.text.split("\n")[-1] == last
    assert shown.truncated is truncated


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(result((b"x" * 65,)), id="a blob is cut"),
        pytest.param(result((1,), columns=("n" * 1500,)), id="the header is cut"),
    ],
)
def test_whatever_is_cut_is_told(found: QueryResult) -> None:
    assert "…" in show_result(found, 20, 2000).text
    assert show_result(found, 20, 2000).truncated


@pytest.mark.parametrize("text", ["\n" * 200, '"' * 299, " " + "x" * 299])
def test_the_data_is_cut_where_the_text_is(text: str) -> None:
    shown: Shown = show_result(result((text,)), 20, 2000)
    assert (shown.rows[0][0] == text) is not shown.truncated


@settings(max_examples=300)
@given(VALUES | st.binary(max_size=200))
def test_json_carries_every_value(cell: Any) -> None:
    assert json.loads(json.dumps(json_value(cell), allow_nan=False)) == json_value(cell)


def test_results_of_the_engine_are_shown_as_they_are(engine: Engine, toy: Any) -> None:
    shown = show_result(engine.run(toy, "SELECT id, name, NULL AS n, '7' AS t FROM singer LIMIT 2"), 20, 2000)
    assert shown.text == 'id | name | n | t\n0 | name0 | NULL | "7"\n1 | name1 | NULL | "7"\n(2 rows)'
    assert shown.rows == [[0, "name0", None, "7"], [1, "name1", None, "7"]]
    assert not show_result(engine.run(toy, "SELECT id FROM singer LIMIT 20"), 20, 2000).truncated
    assert show_result(engine.run(toy, "SELECT id FROM singer LIMIT 21"), 20, 2000).truncated


# --- schemas ---------------------------------------------------------------------------------------------

PET = Table(
    "pet",
    False,
    (Column("id", "INTEGER", 1, False), Column("full name", "TEXT", 0, True), Column("order", "", 0, False)),
    (ForeignKey(("order",), "owner", ()), ForeignKey(("id", "full name"), "odd table", ("a", "b"))),
    1234,
)


def test_a_table_is_shown_with_types_keys_and_rows() -> None:
    assert show_table(PET, 2000).split("\n") == [
        "Table pet, 1,234 rows",
        "  id INTEGER PRIMARY KEY",
        '  "full name" TEXT NOT NULL',
        '  "order"',
        '  FOREIGN KEY ("order") REFERENCES owner',
        '  FOREIGN KEY (id, "full name") REFERENCES "odd table" (a, b)',
    ]


def test_a_composite_key_has_a_line_of_its_own() -> None:
    columns = (Column("a", "INT", 2, False), Column("b", "INT", 1, True))
    text = show_table(Table("t", True, columns, (), 1), 2000)
    assert text == "View t, 1 row\n  a INT\n  b INT NOT NULL\n  PRIMARY KEY (b, a)"


@given(st.integers(1, 200), st.integers(200, 2000), NAMES.filter(lambda name: "\n" not in name))
def test_a_table_keeps_to_its_characters(n: int, max_chars: int, name: str) -> None:
    table = Table(name, False, tuple(Column(f"{name}{i}", "TEXT", 0, False) for i in range(n)), (), 5)
    whole, cut = show_table(table, 10**9), show_table(table, max_chars)
    assert len(cut) <= max_chars
    if cut != whole:
        kept, _, rest = cut.rpartition("\n")
        assert whole.startswith(kept)
        assert rest == f"  … {whole.count(chr(10)) - kept.count(chr(10))} more lines"


def test_a_cut_table_counts_its_lines_whatever_the_names_are() -> None:
    table = Table("\n", False, tuple(Column(f"\n{i}", "TEXT", 0, False) for i in range(15)), (), 5)
    assert "… -" not in show_table(table, 200)


def test_what_is_known_are_names_and_what_was_described() -> None:
    schema = Schema((Table("odd name", False, (), (), 0), PET))
    assert show_known(schema, []) == 'Tables: "odd name", pet'
    assert show_known(schema, [PET.name]).split("\n")[1:] == ['pet(id INTEGER, "full name" TEXT, "order")']


@pytest.mark.parametrize(
    ("name", "written"),
    [
        *(("pet", "pet"), ("_a1", "_a1"), ("a b", '"a b"'), ("Order", '"Order"'), ("1a", '"1a"'), ("é", '"é"')),
        *(('a"b', '"a""b"'), ("", '""'), ("a-b", '"a-b"'), ("a\n", '"a\n"'), ("from", '"from"'), ("name", "name")),
    ],
)
def test_names_are_written_as_sql_needs_them(name: str, written: str) -> None:
    assert quoted_if_needed(name) == written


@pytest.mark.parametrize(
    "name", "pet order from to index group rowid key date text current_date limit values do".split()
)
def test_a_name_as_written_is_a_name_to_sqlite(engine: Engine, toy: Any, name: str) -> None:
    written = quoted_if_needed(name)
    assert engine.run(toy, f"WITH t AS (SELECT 1 AS {written}) SELECT t.{written} FROM t").columns == (name,)
