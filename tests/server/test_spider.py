"""Fetching Spider: from folders, from zips, and from a web server that misbehaves."""

import errno
import hashlib
import importlib.util
import io
import json
import logging
import os
import re
import shutil
import sqlite3
import stat
import struct
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sql_env.server import spider
from sql_env.server.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT / os.environ.get("SQL_ENV_SHARED", "../shared") / "spider" / "spider_data"
QUICK = spider.Limits(
    connect_s=2, stall_s=0.2, attempts=3, backoff_s=0, redirects=3, member_bytes=200_000, total_bytes=600_000
)
QUESTIONS = ("dev.json", "tables.json", "train_spider.json")
HTML = b"<!DOCTYPE html><html><body>Sign in</body></html>"


# A tiny Spider


def database(rows: int) -> bytes:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE pet (name TEXT)")
        connection.executemany("INSERT INTO pet VALUES (?)", [(f"pet {n} " * 50,) for n in range(rows)])
        connection.commit()
        return connection.serialize()


def entries(*db_ids: str) -> bytes:
    return json.dumps([{"db_id": i, "question": "How many?", "query": "SELECT 1"} for i in db_ids]).encode()


FILES = {
    "database/alpha/alpha.sqlite": database(100),
    "database/beta/beta.sqlite": database(150),
    "dev.json": entries("alpha"),
    "train_spider.json": entries("beta"),
    "tables.json": json.dumps([{"db_id": "alpha"}, {"db_id": "beta"}]).encode(),
}
ALPHA, BETA = FILES["database/alpha/alpha.sqlite"], FILES["database/beta/beta.sqlite"]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


CHECKSUMS = {path.replace("database/", "databases/"): sha256(data) for path, data in FILES.items()}
BUT_BETA = {place: digest for place, digest in CHECKSUMS.items() if "beta" not in place}


def zipped(files: dict[str, bytes] = FILES, prefix: str = "spider_data/") -> bytes:
    """Make a zip of `files`, with a Mac's junk, as the official one has it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"__MACOSX/{prefix}database/alpha/._alpha.sqlite", b"junk")
        archive.writestr(f"__MACOSX/{prefix}database/alpha/alpha.sqlite", b"junk")
        archive.writestr(f"{prefix}README.txt", b"not wanted")
        for path, data in files.items():
            archive.writestr(prefix + path, data)
    return out.getvalue()


def unpacked(folder: Path, files: dict[str, bytes] = FILES) -> Path:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


@dataclass
class Place:
    """Where a test's files go, and what must hold of them whatever happens."""

    data: Path
    cache: Path

    def fetch(self, db_ids=("alpha", "beta"), *, source=None, sources=(), checksums=CHECKSUMS, **more):
        return spider.fetch(
            self.data,
            db_ids,
            source=source,
            sources=sources,
            cache_dir=self.cache,
            checksums=checksums,
            **{"limits": QUICK, **more},
        )

    def put(self, db_id: str, data: bytes) -> Path:
        path = self.data / "databases" / db_id / f"{db_id}.sqlite"
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        return path

    def databases(self) -> set[str]:
        """Return the db_ids in place, after a check that nothing else lies under the data folder."""
        found = {str(path.relative_to(self.data)): path for path in self.data.rglob("*") if path.is_file()}
        for name, path in found.items():
            assert path.read_bytes() == FILES[name.replace("databases/", "database/")]
        return {path.stem for path in found.values()}

    def questions(self) -> set[str]:
        return {path.name for path in (self.cache / "spider").glob("*.json")}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "data", tmp_path / "cache")


# A web server that misbehaves

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Web:
    """A server on this machine whose every path plays a list of answers, the last one for ever."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def at(self, path: str, *answers: Answer) -> str:
        self.answers[path] = list(answers)
        return self.url + path

    def singles(self, alpha: Answer | list[Answer], beta: Answer | None = None) -> spider.Source:
        self.at("/one/database/alpha/alpha.sqlite", *(alpha if isinstance(alpha, list) else [alpha]))
        self.at("/one/database/beta/beta.sqlite", beta or sends(BETA))
        return spider.Source("singles", self.url + "/one/{path}", "databases", 200_000)

    def questions(self) -> spider.Source:
        for name in QUESTIONS:
            self.at(f"/questions/{name}", sends(FILES[name]))
        return spider.Source("questions", self.url + "/questions/{path}", "questions", 200_000)

    def archive(self, blob: bytes, *answers: Answer, name: str = "archive") -> spider.Source:
        url = self.at(f"/{name}.zip", *(answers or [sends(blob)]))
        return spider.Source(name, url, "everything", 200_000, sha256(blob))

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


class Handler(BaseHTTPRequestHandler):
    web: Web

    def do_GET(self) -> None:
        self.web.asked.append((self.path, self.headers["Range"]))
        answers = self.web.answers.get(self.path, [fails(404)])
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = False

    def handle_error(self, request, client_address) -> None:
        """Say nothing: clients that hang up are part of the tests."""


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    play = Web()
    with Server(("127.0.0.1", 0), type("Bound", (Handler,), {"web": play})) as server:
        play.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield play
        play.over.set()
        server.shutdown()
        thread.join()


def reply(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    handler.send_response(status)
    for name, value in ({"Content_Length": str(len(body))} | headers).items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def sends(data: bytes) -> Answer:
    """Serve it properly, with Range."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if not handler.headers["Range"]:
            return reply(handler, 200, data)
        start = int(re.fullmatch(r"bytes=(\d+)-", handler.headers["Range"])[1])
        if start >= len(data):
            return reply(handler, 416)
        return reply(handler, 206, data[start:], Content_Range=f"bytes {start}-{len(data) - 1}/{len(data)}")

    return answer


def sends_all(data: bytes) -> Answer:
    """Ignore Range."""
    return lambda handler: reply(handler, 200, data)


def cuts(data: bytes, after: int) -> Answer:
    """Promise everything and hang up."""
    return lambda handler: reply(handler, 200, data[:after], Content_Length=str(len(data)))


def stalls(data: bytes, after: int) -> Answer:
    """Promise everything and fall silent."""

    def answer(handler: Handler) -> None:
        reply(handler, 200, data[:after], Content_Length=str(len(data)))
        handler.web.over.wait(5)

    return answer


def misplaces(data: bytes) -> Answer:
    """Answer a Range with another one."""
    return lambda handler: reply(handler, 206, data, Content_Range=f"bytes 0-{len(data) - 1}/{len(data)}")


def fails(status: int) -> Answer:
    return lambda handler: reply(handler, status)


def redirects(to: str) -> Answer:
    return lambda handler: reply(handler, 302, Location=to)


def shows_page(content_type: str, page: bytes = HTML) -> Answer:
    return lambda handler: reply(handler, 200, page, Content_Type=content_type)


# The network: what is overcome

HALF = len(ALPHA) // 2
FROM_HALF = f"bytes={HALF}-"
OVERCOME = {
    "honest": ([sends(ALPHA)], [None]),
    "cut, then Range": ([cuts(ALPHA, HALF), sends(ALPHA)], [None, FROM_HALF]),
    "cut, then Range ignored": ([cuts(ALPHA, HALF), sends_all(ALPHA)], [None, FROM_HALF]),
    "cut, then another range": ([cuts(ALPHA, HALF), misplaces(ALPHA), sends(ALPHA)], [None, FROM_HALF, None]),
    "cut, then Range refused": ([cuts(ALPHA, HALF), fails(416), sends(ALPHA)], [None, FROM_HALF, None]),
    "begins wrong, resumed": ([cuts(b"x" * len(ALPHA), HALF), sends(ALPHA)], [None, FROM_HALF, None]),
    "stalls, then Range": ([stalls(ALPHA, HALF), sends(ALPHA)], [None, FROM_HALF]),
    "cut twice": ([cuts(ALPHA, 0), cuts(ALPHA, HALF), sends(ALPHA)], [None, None, FROM_HALF]),
    "500, then fine": ([fails(500), sends(ALPHA)], [None, None]),
    "429 and 503, then fine": ([fails(429), fails(503), sends(ALPHA)], [None, None, None]),
    "redirect": ([redirects("/moved"), sends(ALPHA)], [None]),
}


@pytest.mark.parametrize(("answers", "ranges"), OVERCOME.values(), ids=OVERCOME)
def test_a_server_that_recovers_is_enough(place: Place, web: Web, answers, ranges):
    source = web.singles(list(answers))
    web.at("/moved", sends(ALPHA))
    report = place.fetch(["alpha"], sources=[source, web.questions()])
    assert place.databases() == {"alpha"}
    assert [asked for path, asked in web.asked if "alpha" in path] == ranges
    assert report == spider.Report(("alpha",), ("alpha", *QUESTIONS), ())


# The network: what fails a source, and the next one is asked

FATAL = {
    "404": ([fails(404)], "alpha: HTTP 404", 1),
    "403": ([fails(403)], "alpha: HTTP 403", 1),
    "500 for ever": ([fails(500)], "alpha: HTTP 500 (3 attempts)", 3),
    "wrong content": ([sends(b"x" * 999)], "alpha: its SHA-256 is not the pinned one", 1),
    "another database": ([sends(BETA)], "alpha: its SHA-256 is not the pinned one", 1),
    "a page": ([shows_page("text/html; charset=utf-8")], "alpha: an HTML page came instead", 1),
    "a bare page": ([shows_page("text/html", b"Sign in")], "alpha: an HTML page came instead", 1),
    "a page that hides": ([shows_page("application/octet-stream")], "alpha: an HTML page came instead", 1),
    "too large": ([sends(b"x" * 200_001)], "alpha: is refused: larger than the limit of 200,000 bytes", 1),
    "endless redirects": ([redirects("/one/database/alpha/alpha.sqlite")], "alpha: more than 3 redirects", 4),
    "cut for ever": ([cuts(ALPHA, HALF), cuts(ALPHA, HALF), cuts(ALPHA, 9)], "alpha: connection failed", 3),
    "stalls for ever": ([stalls(ALPHA, 0)], "alpha: timed out (ReadTimeout) (3 attempts)", 3),
    "416 for ever": ([fails(416)], "alpha: the server cannot resume", 3),
}


@pytest.mark.parametrize(("answers", "reason", "requests"), FATAL.values(), ids=FATAL)
def test_a_failing_source_is_named_and_nothing_wrong_stays(place: Place, web: Web, answers, reason, requests):
    sources = [web.singles(list(answers)), web.questions()]
    with pytest.raises(DataError) as caught:
        place.fetch(["alpha"], sources=sources)
    assert f"\n  singles: {reason}" in str(caught.value)
    assert sum("alpha" in path for path in web.paths()) == requests
    assert place.databases() == set()
    assert sha256(ALPHA) not in {path.name for path in place.cache.rglob("*")}


@pytest.mark.parametrize(("answers", "reason", "requests"), FATAL.values(), ids=FATAL)
def test_the_next_source_is_asked(place: Place, web: Web, caplog, answers, reason, requests):
    sources = [web.singles(list(answers)), web.questions(), web.archive(zipped())]
    place.fetch(["alpha"], sources=sources)
    assert place.databases() == {"alpha"}
    assert caplog.records[0].getMessage().startswith(f"singles: {reason}")
    assert web.paths()[-1] == "/archive.zip"


def test_an_archive_may_fail_like_a_single_file(place: Place, web: Web):
    blob = zipped()
    first = web.archive(blob + b"tampered", sends(blob), name="first")
    second = web.archive(blob, cuts(blob, 500), sends(blob), name="second")
    place.fetch(sources=[first, second])
    assert place.databases() == {"alpha", "beta"}
    assert web.asked == [("/first.zip", None), ("/second.zip", None), ("/second.zip", "bytes=500-")]


def test_the_last_word_lists_every_source_and_what_to_do(place: Place, web: Web):
    sources = [web.singles(fails(404)), web.questions(), web.archive(zipped(), shows_page("text/html"))]
    closed = spider.Source("closed", "http://127.0.0.1:1/x.zip", "everything", 999, "0" * 64)
    with pytest.raises(DataError) as caught:
        place.fetch(sources=[*sources, closed])
    lines = str(caught.value).splitlines()
    assert lines[0] == "Spider could not be fetched; still missing: alpha, beta."
    assert lines[1] == "  singles: alpha: HTTP 404"
    assert lines[2] == "  archive: an HTML page came instead of the data"
    assert lines[3].startswith("  closed: connection failed")
    assert "by hand" in lines[4]
    assert lines[4].endswith("python scripts/download_spider.py --from PATH")


def test_what_a_failing_source_gave_is_kept(place: Place, web: Web):
    sources = [web.singles(sends(ALPHA), fails(404)), web.questions()]
    with pytest.raises(DataError, match=r"still missing: beta\."):
        place.fetch(sources=sources)
    assert place.databases() == {"alpha"}
    place.fetch(sources=[web.singles(fails(404)), web.questions()])
    assert place.databases() == {"alpha", "beta"}
    assert web.paths().count("/one/database/alpha/alpha.sqlite") == 1


def test_an_interrupted_download_is_resumed_by_the_next_run(place: Place, web: Web):
    blob = zipped()
    source = web.archive(blob, cuts(blob, 500), sends(blob))
    with pytest.raises(DataError):
        place.fetch(sources=[source], limits=replace(QUICK, attempts=1))
    assert place.databases() == set()
    place.fetch(sources=[source])
    assert web.asked[1] == ("/archive.zip", "bytes=500-")


def test_a_page_in_between_does_not_spoil_what_has_arrived(place: Place, web: Web):
    blob = zipped()
    source = web.archive(blob, cuts(blob, 500), shows_page("text/html"), sends(blob))
    with pytest.raises(DataError, match="an HTML page came"):
        place.fetch(sources=[source])
    place.fetch(sources=[source])
    assert web.asked == [("/archive.zip", None), *[("/archive.zip", "bytes=500-")] * 2]


def test_an_archive_is_downloaded_once_for_all_later_fetches(place: Place, web: Web):
    source = web.archive(zipped())
    place.fetch(["alpha"], sources=[source])
    place.fetch(["beta"], sources=[source])
    assert place.databases() == {"alpha", "beta"}
    assert web.paths() == ["/archive.zip"]


def test_a_download_that_was_complete_but_not_yet_checked_is_not_fetched_again(place: Place, web: Web):
    blob = zipped()
    part = place.cache / "spider" / "downloads" / f"{sha256(blob)}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(blob)
    place.fetch(sources=[web.archive(blob)])
    assert place.databases() == {"alpha", "beta"}
    assert web.asked == []


def test_progress_counts_to_the_end(place: Place, web: Web):
    told: list[tuple[str, int, int | None]] = []
    sources = [web.singles([cuts(ALPHA, HALF), sends(ALPHA)]), web.questions()]
    place.fetch(["alpha"], sources=sources, progress=lambda *now: told.append(now))
    counts = [now for now in told if now[0] == "alpha"]
    assert counts[-1] == ("alpha", len(ALPHA), len(ALPHA))
    assert [done for _, done, _ in counts] == sorted(done for _, done, _ in counts)


# What is wanted


def test_nothing_is_asked_of_the_network_when_all_is_in_place(place: Place, web: Web):
    sources = [web.singles(sends(ALPHA)), web.questions(), web.archive(zipped())]
    assert len(place.fetch(sources=sources).fetched) == 5
    web.asked.clear()
    assert place.fetch(sources=sources).fetched == ()
    assert web.asked == []


@pytest.mark.parametrize(("wrong", "checksums"), [(ALPHA + b"changed", CHECKSUMS), (HTML, {})])
def test_a_wrong_database_in_place_is_replaced_or_at_least_removed(place: Place, web: Web, caplog, wrong, checksums):
    place.put("alpha", wrong)
    checksums = checksums or {place: digest for place, digest in CHECKSUMS.items() if "alpha" not in place}
    with pytest.raises(DataError, match="still missing: alpha"):
        place.fetch(["alpha"], sources=[web.questions()], checksums=checksums)
    assert place.databases() == set()
    assert "removed" in caplog.text
    place.fetch(["alpha"], sources=[web.archive(zipped()), web.questions()], checksums=checksums)
    assert place.databases() == {"alpha"}


def test_everything_on_the_network_is_what_tables_json_lists(place: Place, web: Web):
    report = place.fetch(None, sources=[web.singles(sends(ALPHA)), web.questions()])
    assert report.databases == ("alpha", "beta")
    assert place.databases() == {"alpha", "beta"}


def test_an_archive_stands_in_for_the_question_files(place: Place, web: Web):
    sources = [web.singles(sends(ALPHA)), replace(web.questions(), url=web.url + "/no/{path}")]
    place.fetch(["alpha"], sources=[*sources, web.archive(zipped())])
    assert place.questions() == set(QUESTIONS)
    assert place.databases() == {"alpha"}


def test_question_files_from_the_network_must_be_the_official_ones(place: Place, web: Web):
    blob = zipped(FILES | {"dev.json": entries("alpha", "alpha")})
    source = web.questions()
    web.at("/questions/dev.json", sends(entries("alpha", "alpha")))
    with pytest.raises(DataError) as caught:
        place.fetch(["alpha"], sources=[source, web.archive(blob)])
    assert "questions: dev.json: its SHA-256 is not" in str(caught.value)
    assert f"archive: dev.json differs from its SHA-256 {CHECKSUMS['dev.json']}" in str(caught.value)
    assert "dev.json" not in place.questions()


@pytest.mark.parametrize(("known", "kept"), [(("alpha",), True), (("beta",), False)])
def test_imported_questions_count_where_they_cover_what_is_wanted(place: Place, web: Web, known, kept):
    part = {name: entries(*known) for name in QUESTIONS}
    unpacked(place.cache / "spider", part)
    place.fetch(["alpha"], sources=[web.singles(sends(ALPHA)), web.questions()])
    now = {name: (place.cache / "spider" / name).read_bytes() for name in QUESTIONS}
    assert now == (part if kept else {name: FILES[name] for name in QUESTIONS})


def test_a_database_without_a_checksum_comes_only_from_a_pinned_archive(place: Place, web: Web, caplog):
    sources = [web.singles(sends(ALPHA)), web.questions(), web.archive(zipped())]
    place.fetch(sources=sources, checksums=BUT_BETA)
    assert place.databases() == {"alpha", "beta"}
    assert not any("/one/" in path for path in web.paths())
    assert "beta: no checksum is committed" in caplog.text


def test_one_bad_database_does_not_spoil_an_archive(place: Place, web: Web):
    files = FILES | {"database/alpha/alpha.sqlite": BETA}
    sources = [web.archive(zipped(files), name="first"), web.archive(zipped(), name="second")]
    place.fetch(sources=sources)
    assert place.databases() == {"alpha", "beta"}
    place.fetch(sources=sources)
    assert web.paths() == ["/first.zip", "/second.zip"]


@pytest.mark.parametrize("db_id", ["../evil", "a/b", "", "a.b", "a/a.sqlite/..", "C:x", "a\n"])
def test_a_db_id_cannot_lead_out_of_the_folder(place: Place, db_id):
    with pytest.raises(DataError, match="is not a db_id"):
        place.fetch([db_id])


# Folders and zips


def as_folder(tmp_path: Path, files: dict[str, bytes], prefix: str) -> Path:
    unpacked(tmp_path / "given" / prefix, files)
    return tmp_path / "given"


def as_zip(tmp_path: Path, files: dict[str, bytes], prefix: str) -> Path:
    (tmp_path / "given.zip").write_bytes(zipped(files, prefix))
    return tmp_path / "given.zip"


GIVEN = pytest.mark.parametrize("given", [as_folder, as_zip])


@GIVEN
@pytest.mark.parametrize("prefix", ["", "spider/", "spider_data/"])
@pytest.mark.parametrize("db_ids", [("alpha", "beta"), None])
def test_a_local_spider_is_imported(place: Place, tmp_path: Path, given, prefix, db_ids):
    report = place.fetch(db_ids, source=given(tmp_path, FILES, prefix))
    assert place.databases() == {"alpha", "beta"}
    assert place.questions() == set(QUESTIONS)
    assert report == spider.Report(("alpha", "beta"), (*QUESTIONS, "alpha", "beta"), ())
    assert list((place.cache / "spider" / "staging").iterdir()) == []


@GIVEN
def test_a_part_of_spider_will_do(place: Place, tmp_path: Path, given):
    only = {path: FILES[path] for path in ("database/beta/beta.sqlite", "dev.json")}
    report = place.fetch(["beta"], source=given(tmp_path, only, ""))
    assert place.databases() == {"beta"}
    assert report.absent == ("tables.json", "train_spider.json")
    with pytest.raises(DataError, match=r"lacks alpha, gamma: "):
        place.fetch(["alpha", "beta", "gamma"], source=tmp_path / f"given{'.zip' * (given is as_zip)}")


@GIVEN
def test_what_is_in_place_need_not_be_in_the_folder(place: Place, tmp_path: Path, given):
    place.put("alpha", ALPHA)
    only = {path: data for path, data in FILES.items() if "alpha" not in path}
    assert place.fetch(source=given(tmp_path, only, "")).databases == ("alpha", "beta")


WRONG = {
    "listed database differs": (
        {"database/alpha/alpha.sqlite": BETA},
        CHECKSUMS,
        "alpha.sqlite differs from",
    ),
    "unlisted and not SQLite": ({"database/beta/beta.sqlite": HTML}, BUT_BETA, "is not an SQLite database"),
    "empty": ({"database/beta/beta.sqlite": b""}, BUT_BETA, "is not an SQLite database"),
    "questions not JSON": ({"dev.json": HTML}, CHECKSUMS, "dev.json is not JSON"),
    "questions not a list": ({"dev.json": b'{"db_id": 1}'}, CHECKSUMS, "dev.json is not a JSON list"),
    "questions without gold": (
        {"dev.json": b'[{"db_id": "a", "question": "?"}]'},
        CHECKSUMS,
        "question, query",
    ),
    "a db_id that is none": (
        {"dev.json": b'[{"db_id": [], "question": "", "query": ""}]'},
        CHECKSUMS,
        "with db_id",
    ),
    "tables without db_id": ({"tables.json": b"[{}]"}, CHECKSUMS, "tables.json is not a JSON list"),
    "too large": ({"database/beta/beta.sqlite": BETA + b"0" * 200_000}, BUT_BETA, "larger than the limit"),
}


@GIVEN
@pytest.mark.parametrize(("change", "checksums", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_refused_and_the_sound_ones_are_kept(
    place: Place, tmp_path: Path, given, change, checksums, message
):
    source = given(tmp_path, FILES | change, "spider/")
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        place.fetch(source=source, checksums=checksums)
    assert str(source) in str(caught.value)
    assert "python scripts/download_spider.py" in str(caught.value)
    wrong = {Path(path).stem for path in change}
    assert place.databases() == {"alpha", "beta"} - wrong
    assert place.questions() == {name for name in QUESTIONS if name not in change}


@GIVEN
def test_local_files_may_differ_where_no_checksum_speaks(place: Place, tmp_path: Path, given, caplog):
    reduced = {"train_spider.json": entries("beta", "beta")}
    place.fetch(source=given(tmp_path, FILES | reduced, ""), checksums=BUT_BETA)
    assert (place.cache / "spider" / "train_spider.json").read_bytes() == reduced["train_spider.json"]
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING] == [
        "beta: no checksum is committed for it; accepted for its SQLite header"
    ]


def test_official_question_files_are_not_replaced_by_a_part(place: Place, tmp_path: Path):
    place.fetch(source=as_folder(tmp_path, FILES, ""))
    place.fetch(source=as_zip(tmp_path, FILES | {"dev.json": entries("alpha", "beta")}, ""))
    assert (place.cache / "spider" / "dev.json").read_bytes() == FILES["dev.json"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such folder or zip"),
        (lambda path: path.mkdir(), "lacks any database"),
        (lambda path: path.write_bytes(HTML), "is not a sound zip"),
        (lambda path: path.write_bytes(zipped()[:-30]), "is not a sound zip"),
        (lambda path: path.write_bytes(zipped({})), "lacks any database"),
    ],
)
def test_what_is_no_spider_is_named(place: Place, tmp_path: Path, make, message):
    make(tmp_path / "given")
    with pytest.raises(DataError, match=rf"given.*{message}"):
        place.fetch(None, source=tmp_path / "given")


# Zips that mean harm


def zip_of(*members: tuple[zipfile.ZipInfo | str, bytes]) -> bytes:
    out = io.BytesIO(zipped({path: data for path, data in FILES.items() if "beta" not in path}))
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        for info, data in members:
            archive.writestr(info, data)
    return out.getvalue()


def special(kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("spider_data/database/beta/beta.sqlite")
    info.create_system, info.external_attr = 3, (kind | 0o777) << 16
    return info


def lying(blob: bytes) -> bytes:
    """Let the directory claim that the last member has ten bytes."""
    at = blob.rindex(b"PK\x01\x02") + 24
    return blob[:at] + struct.pack("<L", 10) + blob[at + 4 :]


def encrypted(blob: bytes) -> bytes:
    """Let both headers of the last member say that it is encrypted."""
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = blob.rindex(mark) + offset
        blob = blob[:at] + b"\x01" + blob[at + 1 :]
    return blob


def squeezed(data: bytes) -> bytes:
    info = special(stat.S_IFREG)
    info.compress_type = zipfile.ZIP_LZMA
    return zip_of((info, data))


def garbled(blob: bytes) -> bytes:
    """Damage the compressed bytes of the last member."""
    at = blob.rindex(b"beta.sqlite", 0, blob.index(b"PK\x01\x02")) + 60
    return blob[:at] + bytes(byte ^ 0xFF for byte in blob[at : at + 40]) + blob[at + 40 :]


BETA_PATH = "spider_data/database/beta/beta.sqlite"
BOMB = BETA[:100] + bytes(5_000_000)
HARMFUL = {
    "parent path": (zip_of(("../beta.sqlite", BETA)), "absolute or parent path"),
    "parent path inside": (zip_of(("spider_data/database/../../../x", BETA)), "absolute or parent path"),
    "parent path, backslash": (zip_of(("spider_data\\..\\..\\x", BETA)), "absolute or parent path"),
    "absolute path": (zip_of(("/beta.sqlite", BETA)), "absolute or parent path"),
    "drive letter": (zip_of(("C:beta.sqlite", BETA)), "absolute or parent path"),
    "link": (zip_of((special(stat.S_IFLNK), b"/etc/passwd")), "a link or another special file"),
    "device": (zip_of((special(stat.S_IFCHR), BETA)), "a link or another special file"),
    "bomb": (zip_of((BETA_PATH, BOMB)), "larger than the limit of 200,000 bytes"),
    "bomb with a small claim": (lying(zip_of((BETA_PATH, BOMB))), "is damaged"),
    "encrypted": (encrypted(zip_of((BETA_PATH, BETA))), "is encrypted or compressed"),
    "lzma": (squeezed(BETA), "is encrypted or compressed"),
    "garbled": (garbled(zip_of((BETA_PATH, BETA))), "is damaged"),
}


@pytest.mark.parametrize(("blob", "message"), HARMFUL.values(), ids=HARMFUL)
def test_a_harmful_zip_is_refused_locally(place: Place, tmp_path: Path, blob, message):
    (tmp_path / "given.zip").write_bytes(blob)
    before = {path for path in tmp_path.rglob("*") if "cache" not in path.parts}
    with pytest.raises(DataError, match=message):
        place.fetch(["alpha", "beta"], source=tmp_path / "given.zip", checksums=BUT_BETA)
    assert place.databases() <= {"alpha"}
    after = {path for path in tmp_path.rglob("*") if "cache" not in path.parts}
    assert {path for path in after - before if place.data not in (path, *path.parents)} == set()
    assert not [path for path in place.cache.rglob("*") if path.is_file() and path.suffix != ".json"]


@pytest.mark.parametrize(("blob", "message"), HARMFUL.values(), ids=HARMFUL)
def test_a_harmful_zip_fails_its_source_even_when_pinned(place: Place, web: Web, caplog, blob, message):
    sources = [web.archive(blob, name="harmful"), web.archive(zipped())]
    place.fetch(sources=sources, checksums=BUT_BETA)
    assert place.databases() == {"alpha", "beta"}
    assert re.search(f"harmful: .*{message}", caplog.text)


def test_all_files_together_are_limited(place: Place, tmp_path: Path):
    limits = replace(QUICK, total_bytes=len(ALPHA) + len(BETA))
    source = as_zip(tmp_path, FILES, "")
    with pytest.raises(DataError, match=r"beta\.sqlite is refused: all files together"):
        place.fetch(source=source, limits=limits)
    assert place.databases() == {"alpha"}


# Interruptions and file systems


@GIVEN
def test_an_interrupted_import_leaves_nothing_half_done(place: Place, tmp_path: Path, given):
    def interrupt(name: str, done: int, total: int | None) -> None:
        if name == "beta":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.fetch(source=given(tmp_path, FILES, ""), progress=interrupt)
    assert place.databases() == {"alpha"}
    assert list((place.cache / "spider" / "staging").iterdir()) == []


@pytest.fixture
def two_file_systems(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def rename(old: Path, new: Path, real=os.replace) -> None:
        if (place.data in Path(old).parents) != (place.data in Path(new).parents):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        real(old, new)

    monkeypatch.setattr(spider.os, "replace", rename)


@pytest.mark.usefixtures("two_file_systems")
def test_cache_and_data_may_lie_on_two_file_systems(place: Place, web: Web):
    place.fetch(sources=[web.singles(sends(ALPHA)), web.questions()])
    assert place.databases() == {"alpha", "beta"}


@pytest.mark.usefixtures("two_file_systems")
def test_a_full_disk_leaves_nothing_half_done(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def copy(source: Path, target: Path) -> None:
        Path(target).write_bytes(Path(source).read_bytes()[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", copy)
    with pytest.raises(DataError, match="No space left on device"):
        place.fetch(source=as_folder(tmp_path, FILES, ""))
    assert place.databases() == set()


# The committed table and lists


def test_every_source_is_pinned():
    assert [source.holds for source in spider.SOURCES] == [
        "databases",
        "questions",
        "everything",
        "everything",
    ]
    for source in spider.SOURCES:
        assert source.url.startswith("https://")
        assert ("{path}" in source.url) == (source.sha256 is None)
        assert source.sha256 is not None or re.search(r"/[0-9a-f]{40}/", source.url)
    assert "confirm=t" in spider.SOURCES[-1].url


def test_every_listed_database_has_a_committed_checksum(tmp_path: Path):
    listed = spider.read_db_list(tmp_path)
    checksums = spider.read_checksums()
    assert len(listed) == 10
    assert all(f"databases/{db_id}/{db_id}.sqlite" in checksums for db_id in listed)
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in checksums.values())
    assert set(QUESTIONS) < set(checksums)


@pytest.mark.parametrize(
    ("text", "answer"), [('["x"]', ["x"]), ("[]", []), ("[1]", None), ('{"a": 1}', None), ("[", None)]
)
def test_a_data_folder_may_have_a_list_of_its_own(tmp_path: Path, text, answer):
    unpacked(tmp_path, {"questions/db_list.json": text.encode()})
    if answer is not None:
        assert spider.read_db_list(tmp_path) == answer
    else:
        with pytest.raises(DataError, match=r"db_list\.json"):
            spider.read_db_list(tmp_path)


# The command


@pytest.fixture
def command() -> Callable[[list[str]], int]:
    spec = importlib.util.spec_from_file_location("download_spider", ROOT / "scripts" / "download_spider.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def test_the_command_says_in_one_line_what_it_did(place: Place, tmp_path: Path, command, capsys):
    unpacked(place.data, {"questions/db_list.json": b'["beta"]'})
    source = as_folder(tmp_path, FILES, "")
    where = ["--data-dir", str(place.data), "--cache-dir", str(place.cache)]
    assert command(["--from", str(source), *where]) == 0
    line = f"1 databases in {place.data / 'databases'}, 4 files new (Spider 1.0, Yu et al. 2018, CC BY-SA 4.0)\n"
    assert capsys.readouterr().out == line
    assert command(["--from", str(source), "--all", *where]) == 0
    assert capsys.readouterr().out.startswith("2 databases in ")


def test_the_command_fails_with_a_message_and_no_traceback(place: Place, tmp_path: Path, command, capsys):
    where = ["--data-dir", str(place.data), "--cache-dir", str(place.cache)]
    assert command(["--from", str(tmp_path / "nowhere"), *where]) == 1
    said = capsys.readouterr()
    assert "nowhere: no such folder or zip" in said.err
    assert "Traceback" not in said.err
    assert said.out == ""


# The real one


@pytest.mark.skipif(
    not SHARED.is_dir(),
    reason="SKIPPED FOR LACK OF DATA: no spider/spider_data under SQL_ENV_SHARED (default ../shared)",
)
@pytest.mark.parametrize("db_ids", ["listed", None])
def test_the_real_spider_is_imported(tmp_path: Path, caplog, db_ids):
    wanted = spider.read_db_list(tmp_path) if db_ids else None
    report = spider.fetch(tmp_path / "data", wanted, source=SHARED, cache_dir=tmp_path / "cache")
    assert len(report.databases) == (10 if db_ids else len(list(SHARED.glob("database/*/*.sqlite"))))
    assert caplog.records == []
    assert report.absent == ()
    for db_id in report.databases:
        path = tmp_path / "data" / "databases" / db_id / f"{db_id}.sqlite"
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
            assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] > 0
