"""Hostile statements of our own, and the toy database they expect; ``SQL_ENV_SHARED``/attacks adds more."""

import json
import os
import sqlite3
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("SQL_ENV_SHARED", ROOT.parent / "shared"))


def _x(length: int) -> str:
    """A string of x, made in SQL by doubling."""
    return (
        f"(WITH RECURSIVE d(s) AS (SELECT 'x' UNION ALL SELECT s||s FROM d WHERE length(s)<{length}) "
        f"SELECT substr(max(s),1,{length}) FROM d)"
    )


def _with_x(length: int, body: str) -> str:
    return f"WITH a(s) AS MATERIALIZED (SELECT {_x(length)}) {body}"


def _killer_of_quicksort(n: int) -> str:
    """Values on which SQLite's median-of-three quicksort takes quadratic time, n a power of two."""
    return (
        f"WITH RECURSIVE r(j) AS (SELECT 0 UNION ALL SELECT j+1 FROM r LIMIT {n}), "
        "k(j,p) AS (SELECT j,(j+1)&-(j+1) FROM r), "
        f"w(v) AS (SELECT CASE WHEN j={n}-1 THEN 2 WHEN j>={n}/2 THEN 2*(j-{n}/2)+1 WHEN j=0 THEN 0 "
        f"ELSE {n}-{n}/p+2+2*(((j+1)/p-1)/2) END FROM k) SELECT median(v) FROM w"
    )


def _doubled(expression: str, times: int, source: str) -> str:
    """Common table expressions that SQLite flattens into one expression of 2^times copies."""
    steps = ", ".join(f"c{i} AS (SELECT x+x x FROM c{i - 1})" for i in range(1, times + 1))
    return f"c0 AS (SELECT {expression} x FROM {source}), {steps} SELECT x FROM c{times}"


def _joined(n: int, clause: str) -> str:
    tables = ",".join(f"singer a{i}" for i in range(n))
    equal = " AND ".join(f"a{i}.id=a{i - 1}.id" for i in range(1, n))
    return f"SELECT 1 FROM {tables} WHERE {equal} {clause} " + ",".join(f"a{i}.id" for i in range(n))


OURS: dict[str, str] = {
    # resource: work that one opcode does, or that a straight line of opcodes does between two checks
    "count_forever": "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r) SELECT count(*) FROM r",
    "union_forever": "WITH RECURSIVE r(n) AS (SELECT 1 UNION SELECT n+1 FROM r) SELECT count(*) FROM r",
    "cross_join": "SELECT count(*) FROM concert a, concert b, concert c, concert d",
    "double_string": "WITH RECURSIVE r(s) AS (SELECT 'x' UNION ALL SELECT s||s FROM r) SELECT max(length(s)) FROM r",
    "sorter": "SELECT a.note||b.note FROM concert a, concert b ORDER BY 1",
    "distinct": "SELECT count(DISTINCT a.cid*20000+b.cid) FROM concert a, concert b",
    "group_by": "SELECT a.note||b.cid, count(*) FROM concert a, concert b GROUP BY 1",
    "materialized": "WITH m AS MATERIALIZED (SELECT a.note n, b.note o FROM concert a, concert b) "
    "SELECT count(*) FROM m",
    "window": "SELECT group_concat(a.note) OVER (ORDER BY a.cid ROWS BETWEEN 400 PRECEDING AND CURRENT ROW) "
    "FROM concert a, concert b",
    "median": "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n*7919%1000003 FROM r) SELECT median(n) FROM r",
    "trim_quadratic": _with_x(65536, "SELECT length(trim(s, replace(s,'x','y')||'x')) FROM a"),
    "instr_line": _with_x(32768, f"SELECT {'+'.join(['instr(s,s)'] * 90)} FROM a, singer"),
    "instr_miss": _with_x(65536, "SELECT sum(instr(s, substr(s,1,32000)||'y')) FROM a, singer"),
    "replace_miss": _with_x(65536, "SELECT max(length(replace(s, substr(s,1,32000)||'y',''))) FROM a, concert"),
    "replace_bomb": _with_x(65536, "SELECT length(replace(s,'x',s)) FROM a"),
    "like_line": _with_x(
        1024, f"SELECT {','.join(['s LIKE p'] * 150)} FROM a, (SELECT '%'||substr(s,1,120)||'y' p FROM a), singer"
    ),
    "like_few": _with_x(
        8192, f"SELECT {','.join(['s LIKE p'] * 10)} FROM a, (SELECT '%'||substr(s,1,120)||'y' p FROM a), singer"
    ),
    "like_loop": _with_x(
        65536, "SELECT count(*) FROM a, concert WHERE substr(s,1,60000+cid) LIKE '%" + "x" * 120 + "y'"
    ),
    "glob_loop": _with_x(
        65536, "SELECT count(*) FROM a, concert WHERE substr(s,1,60000+cid) GLOB '*" + "[a-z]" * 24 + "y'"
    ),
    "numeric_line": f"WITH a(s) AS MATERIALIZED (SELECT replace({_x(8192)},'x','9')) SELECT "
    + ",".join(["s+s+s+s+s+s+s+s+s+s"] * 190)
    + " FROM a, singer",
    "strftime_line": _with_x(
        512,
        f"SELECT {','.join(['strftime(f,5)'] * 190)} FROM (SELECT replace(substr(s,1,40),'x','%J') f FROM a), singer",
    ),
    "json_line": _with_x(
        512,
        f"SELECT {','.join(['json_valid(j)'] * 190)} "
        "FROM (SELECT '['||replace(substr(s,1,400),'x','1,')||'1]' j FROM a), singer",
    ),
    "wide_rows": "SELECT " + ",".join(["a.note||b.note||c.note"] * 190) + " FROM concert a, concert b, concert c",
    "chain_join": "SELECT count(*) FROM "
    + ",".join(f"singer a{i}" for i in range(30))
    + " WHERE "
    + " AND ".join(f"a{i}.age=a{i + 1}.age" for i in range(29)),
    "correlated": "SELECT count(*) FROM concert a WHERE EXISTS (SELECT 1 FROM concert b WHERE b.note||a.cid = a.note)",
    "offset": "SELECT a.cid FROM concert a, concert b, concert c LIMIT 1 OFFSET 9000000000",
    "blob": "SELECT length(zeroblob(1000000000))",
    "printf": "SELECT length(printf('%.*c',900000000,'x'))",
    "format": "SELECT length(format('%.*c',900000000,'x'))",
    "json_group": "SELECT length(json_group_array(a.note)) FROM concert a, concert b",
    "big_literal": "SELECT '" + "x" * 5_000_000 + "'",
    "many_items": f"SELECT 1 WHERE 1 IN ({','.join(map(str, range(200_000)))})",
    "many_columns": "SELECT " + ",".join(["1"] * 1900),
    "many_unions": " UNION ALL ".join(["SELECT 1"] * 490),
    "parentheses": "SELECT " + "(" * 900 + "1" + ")" * 900,
    "nested_subqueries": "SELECT * FROM (" * 60 + "SELECT 1" + ")" * 60,
    "values": "VALUES " + ",".join(["(1)"] * 2400),
    "unhex_quadratic": _with_x(65536, "SELECT unhex(s, replace(s,'x','y')||'x') FROM a"),
    "unhex_nested": "SELECT length(unhex(" + "hex(" * 12 + "'x'" + ")" * 12 + ", 'y'))",
    "median_killer": _killer_of_quicksort(2**18),
    "plan_order_by": _joined(63, "ORDER BY"),
    "plan_group_by": _joined(63, "GROUP BY"),
    "plan_subqueries": "SELECT " + ",".join(f"({_joined(12, 'GROUP BY')} LIMIT 1)" for _ in range(14)),
    "double_expression": "WITH " + _doubled("id", 21, "singer"),
    "double_nested": "SELECT x+x x FROM (" * 20 + "SELECT id x FROM singer" + ")" * 20,
    "double_glob": _with_x(65536, "").rstrip() + ", " + _doubled("s GLOB '*" + "[a-z]" * 24 + "y'", 11, "a"),
    "double_ltrim": _with_x(65536, "").rstrip() + ", " + _doubled("length(ltrim(s,'x'))", 11, "a"),
    "ltrim_loop": _with_x(32768, "SELECT sum(length(ltrim(s,'x'))) FROM a, concert, concert b"),
    "sort_nocase": "SELECT 1 FROM concert a, singer b WHERE b.id<6 ORDER BY "
    + ",".join(f"substr(a.note,{i},1) COLLATE NOCASE" for i in range(1, 31))
    + ", b.id",
    "sort_nulls": "WITH r AS (SELECT a.cid n FROM concert a, singer b WHERE b.id<8) SELECT n FROM r LEFT JOIN (SELECT "
    + ",".join(f"name n{i}" for i in range(100))
    + " FROM singer WHERE id=-5) ORDER BY "
    + ",".join(f"n{i}" for i in range(100))
    + ",n",
    "wide_unicode": "WITH a(s) AS MATERIALIZED (SELECT "
    + _x(65536)
    + "||char(128512)), b AS (SELECT "
    + ",".join(f"s||{i} c{i}" for i in range(20))
    + " FROM a) SELECT * FROM b c,b d,b e,b f,b g,b h,b i,b j,b k,b l",
    # write
    "insert": "INSERT INTO singer VALUES (9999,'x','x',1)",
    "update": "UPDATE singer SET age = 0",
    "delete_returning": "DELETE FROM singer RETURNING *",
    "cte_delete": "WITH x AS (SELECT 1) DELETE FROM singer",
    "drop": "DROP TABLE singer",
    "temp_view": "CREATE TEMP VIEW singer AS SELECT 1",
    "attach": "ATTACH DATABASE '/tmp/sql-env-hostile.sqlite' AS e",
    "attach_memory": "ATTACH ':memory:' AS m",
    "detach": "DETACH main",
    "vacuum_into": "VACUUM INTO '/tmp/sql-env-hostile.sqlite'",
    "pragma": "PRAGMA query_only=0",
    "pragma_table": "SELECT * FROM pragma_query_only(0)",
    "savepoint": "SAVEPOINT x",
    "begin": "BEGIN EXCLUSIVE",
    "reindex": "REINDEX",
    "analyze": "ANALYZE",
    "two_statements": "SELECT 1; SELECT 2",
    "two_with_comment": "SELECT 1 /* ; */ ; -- x\n DELETE FROM singer",
    # escape
    "master": "SELECT sql FROM sqlite_master",
    "master_count": "SELECT count(*) FROM sqlite_master",
    "schema": 'SELECT name FROM main."SQLITE_SCHEMA"',
    "temp_master": "SELECT name FROM sqlite_temp_master",
    "table_info": "SELECT name FROM pragma_table_info('singer')",
    "table_info_count": "SELECT count(*) FROM pragma_table_info('singer')",
    "database_list": "SELECT file FROM pragma_database_list",
    "dbstat": "SELECT count(*) FROM dbstat",
    "stmt": "SELECT count(*) FROM sqlite_stmt",
    "json_each": "SELECT count(*) FROM json_each('[1]')",
    "series": "SELECT count(*) FROM generate_series(1,1000000000)",
    "carray": "SELECT count(*) FROM carray(0, 5)",
    "fts": "SELECT count(*) FROM fts5vocab('a','b')",
    "load_extension": "SELECT load_extension('/tmp/x.so')",
    "readfile": "SELECT readfile('/etc/passwd')",
    "tokenizer": "SELECT hex(fts3_tokenizer('simple'))",
    "explain": "EXPLAIN SELECT * FROM singer",
    "explain_plan": "EXPLAIN QUERY PLAN SELECT * FROM singer",
    "compile_option": "SELECT sqlite_compileoption_get(1), sqlite_version(), sqlite_source_id()",
    # encoding
    "invalid_utf8": 'SELECT CAST(x\'ff41fe\' AS TEXT) AS "a""b"',
    "nul_in_text": "SELECT 'a' || char(0) || 'b'",
    "nul_in_sql": "SELECT 'a\0b'",
    "lone_surrogate": "SELECT '\ud800'",
    "infinities": "SELECT 9e999, -9e999, 9e999-9e999",
    "big_integers": "SELECT 9223372036854775807, -9223372036854775808, 9007199254740993",
    "blobs": "SELECT x'00ff', x''",
    "abs_overflow": "SELECT abs(-9223372036854775808)",
    "sum_overflow": "SELECT sum(9223372036854775807) FROM singer",
    "parameter": "SELECT ?1, :x, @y, $z",
    "empty": "",
    "comment": "-- nothing",
    "semicolon": ";",
    "duplicate_names": 'SELECT 1 AS a, 2 AS a, 3 AS ""',
    "no_such_collation": "SELECT name FROM singer ORDER BY name COLLATE nosuch",
    "raise": "SELECT RAISE(ABORT, 'x')",
    # nondeterminism
    "random": "SELECT random(), randomblob(4)",
    "changes": "SELECT changes(), total_changes(), last_insert_rowid()",
}


def shared_attacks() -> dict[str, str]:
    """Return the shared list, or nothing where it is not installed."""
    path = SHARED / "attacks" / "queries.json"
    if not path.is_file():
        return {}
    return {f"shared_{q['name']}": q["sql"] for q in json.loads(path.read_text("utf-8"))}


def all_attacks() -> dict[str, str]:
    return {**OURS, **shared_attacks()}


def make_toy_database(folder: Path) -> Path:
    """Write the database that the statements expect: 5,000 singers and 20,000 concerts."""
    path = folder / "databases" / "toy" / "toy.sqlite"
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.executescript(
        """CREATE TABLE singer (id INTEGER PRIMARY KEY, name TEXT, country TEXT, age INT);
           CREATE TABLE concert (cid INTEGER PRIMARY KEY, sid INT, yr INT, note TEXT);"""
    )
    countries = ("US", "FR", "NL")
    connection.executemany(
        "INSERT INTO singer VALUES (?,?,?,?)", [(i, f"name{i}", countries[i % 3], 20 + i % 50) for i in range(5000)]
    )
    connection.executemany(
        "INSERT INTO concert VALUES (?,?,?,?)", [(i, i % 5000, 2000 + i % 20, "x" * 200) for i in range(20000)]
    )
    connection.commit()
    connection.close()
    return path
