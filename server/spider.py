"""Spider: where it comes from, and how what arrives is checked.

Spider 1.0 (Yu et al., EMNLP 2018; CC BY-SA 4.0) is fetched, never committed. `fetch` takes it from a local
folder or zip, or from the pinned `SOURCES`, puts databases at ``data_dir/databases/<db_id>/<db_id>.sqlite``
and the question files into ``cache_dir/spider/``.

Guaranteed: a file appears in its place whole and checked, by one rename; a database whose checksum is in
``spider.sha256`` is that very file; nothing comes from the network that no SHA-256 pins; size limits count
the bytes that really arrive; nothing is ever written to a path that an archive names.
Not guaranteed: that a local database without a committed checksum is more than a file with SQLite's header;
that local question files are complete; two fetches into one cache at the same time; an end to waiting for a
server that sends a byte now and then.

A little longer than its neighbours: the trust rules for folders and archives are one thing to review.
"""

import errno
import json
import logging
import os
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal

import httpx

from sql_env.server import databases
from sql_env.server.download import CHUNK, LIMITS, MB, Limits, Progress, digest, download, pour
from sql_env.server.errors import DataError

logger = logging.getLogger(__name__)

_Tree = Mapping[str, Callable[[], IO[bytes]]]
"""Path in the official layout → how to open it."""

PAGE = "https://yale-lily.github.io/spider"
_QUESTIONS = Path(__file__).resolve().parents[1] / "data" / "questions"
_HEADER = b"SQLite format 3\x00"
_LAYOUT = re.compile(r"database/(\w+)/\1\.sqlite|dev\.json|tables\.json|train_spider\.json", re.ASCII)

QUESTION_SHA256 = {
    "dev.json": "30d64a3fccde493226df79687aed9e4a1c0129525baf44f29c0573d914d758a4",
    "tables.json": "61bb20aa401f03164e2d7f3b16509b7b5f79cc9c943ca7bd159046df1159e2ed",
    "train_spider.json": "c43d0d72e59e1a9e1a60837da9bf70d5a6277226bdb7f634d544f380646f527a",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One file of Spider: its path in the official layout, its place here, its SHA-256 where one is known."""

    path: str
    dest: Path
    sha256: str | None

    @property
    def is_database(self) -> bool:
        """Whether it is a database rather than a question file."""
        return self.path.startswith("database/")

    @property
    def name(self) -> str:
        """The db_id of a database, the name of a question file."""
        return self.dest.stem if self.is_database else self.dest.name


@dataclass(frozen=True, slots=True)
class Source:
    """A pinned place on the network: single files (``{path}`` in the URL) or, with a SHA-256, one archive."""

    name: str
    url: str
    holds: Literal["databases", "questions", "everything"]
    max_bytes: int
    sha256: str | None = None

    def offers(self, item: Item) -> bool:
        """Whether this source is the place to ask for an item."""
        return self.holds == "everything" or (self.holds == "databases") == item.is_database


_HUB = "https://huggingface.co/datasets"
SOURCES = (
    Source(
        "Hugging Face prem-research/spider",
        f"{_HUB}/prem-research/spider/resolve/2abe051bece3132d964271f79dc8589a84e63d06/{{path}}",
        "databases",
        64 * MB,
    ),
    Source(
        "GitHub taoyds/spider",
        "https://raw.githubusercontent.com/taoyds/spider/b7b5b8c890cd30e35427348bb9eb8c6d1350ca7c"
        "/evaluation_examples/examples/{path}",
        "questions",
        64 * MB,
    ),
    Source(
        "Hugging Face xlangai/spider",
        f"{_HUB}/xlangai/spider/resolve/33bb2d632e7e53f1f8150777ee7bfeda5c0853ab/data/spider.zip",
        "everything",
        128 * MB,
        "5ddff97bb1d421282c593e8d30ce0ce107270f4dd4a21d60eba4bf287d5956b1",
    ),
    Source(
        "Google Drive, the official archive",
        "https://drive.usercontent.google.com/download?id=1403EGqzIDoHMdQF4c9Bkyl7dZLZ5Wt6J&export=download&confirm=t",
        "everything",
        256 * MB,
        "00636695dabed6b5f4b8328a16b13e069a2f16591d5efcce57660669c85b121b",
    ),
)


@dataclass(frozen=True, slots=True)
class Report:
    """What was asked for and is in place, what of it is new, and which question files are still not there."""

    databases: tuple[str, ...]
    fetched: tuple[str, ...]
    absent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Job:
    data_dir: Path
    cache: Path
    limits: Limits
    progress: Progress
    checksums: Mapping[str, str]
    fetched: list[str] = field(default_factory=list)

    def questions(self) -> list[Item]:
        return [Item(name, self.cache / name, self.checksums.get(name)) for name in QUESTION_SHA256]

    def databases(self, db_ids: Iterable[str]) -> list[Item]:
        return [self._database(db_id) for db_id in dict.fromkeys(db_ids)]

    def _database(self, db_id: str) -> Item:
        if not _LAYOUT.fullmatch(f"database/{db_id}/{db_id}.sqlite"):
            raise DataError(f"{db_id!r} is not a db_id: letters, digits and underscores only")
        place = f"databases/{db_id}/{db_id}.sqlite"
        return Item(f"database/{db_id}/{db_id}.sqlite", self.data_dir / place, self.checksums.get(place))


def fetch(
    data_dir: Path,
    db_ids: Sequence[str] | None,
    *,
    source: Path | None,
    cache_dir: Path,
    sources: Sequence[Source] = SOURCES,
    checksums: Mapping[str, str] | None = None,
    limits: Limits = LIMITS,
    progress: Progress = lambda name, done, total: None,
) -> Report:
    """Put Spider's databases under `data_dir` and its question files into ``cache_dir/spider``.

    Args:
        data_dir: Gets ``databases/<db_id>/<db_id>.sqlite``.
        db_ids: The databases wanted; None for all that `source` holds or, without it, that tables.json lists.
        source: A local folder or zip in the official layout; None for the network.
        cache_dir: Gets ``spider/{dev,tables,train_spider}.json`` and keeps downloads, to be resumed.
        sources: Places on the network, tried in this order.
        checksums: SHA-256 by place (``databases/…``, ``dev.json``); the committed ones by default.
        limits: Time-outs, retries and size limits.
        progress: Told how far each file is.

    Raises:
        DataError: Something wanted could not be had, or differs from its checksum; says what to do.
    """
    try:
        known = read_checksums() if checksums is None else checksums
        job = _Job(data_dir, cache_dir / "spider", limits, progress, known)
        wanted = _from_network(job, db_ids, sources) if source is None else _from_local(job, db_ids, source)
    except OSError as error:
        raise DataError(f"Spider's files cannot be read or written: {error}") from error
    absent = tuple(item.name for item in job.questions() if not item.dest.exists())
    return Report(tuple(item.name for item in wanted), tuple(job.fetched), absent)


def read_checksums(path: Path = _QUESTIONS / "spider.sha256") -> dict[str, str]:
    """Read the committed checksums of databases (sha256sum's format) and add those of the question files."""
    return databases.read_checksums(path) | QUESTION_SHA256


def read_db_list(data_dir: Path) -> list[str]:
    """Read the db_ids in use: ``data_dir/questions/db_list.json``, or the packaged list where it has none."""
    own = data_dir / "questions" / "db_list.json"
    path = own if own.exists() else _QUESTIONS / own.name
    try:
        listed = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}; restore it with: git checkout {path}") from error
    if not isinstance(listed, list) or not all(isinstance(db_id, str) for db_id in listed):
        raise DataError(f"{path} must be a JSON array of db_ids")
    return listed


# From a local folder or zip


def _from_local(job: _Job, db_ids: Sequence[str] | None, source: Path) -> list[Item]:
    with _open_local(source) as tree:
        present = sorted(Path(path).stem for path in tree if path.startswith("database/"))
        wanted = job.databases(present if db_ids is None else db_ids)
        left = _not_in_place(wanted)
        lacking = [item.name for item in left if item.path not in tree]
        if lacking or not wanted:
            raise DataError(
                f"{source} lacks {', '.join(lacking) or 'any database'}: database/<db_id>/<db_id>.sqlite is "
                f"looked for in it and in its spider_data/ or spider/; the whole archive is at {PAGE}"
            )
        questions = [item for item in job.questions() if item.path in tree and not _in_place(item)]
        _take_all(job, tree, questions + left, source)
    return wanted


@contextmanager
def _open_local(source: Path) -> Iterator[_Tree]:
    if source.is_dir():
        patterns = [start + rest for start in ("", "*/") for rest in ("*.json", "database/*/*.sqlite")]
        names = [path.relative_to(source).as_posix() for pattern in patterns for path in source.glob(pattern)]
        yield {path: _opener(source / name) for path, name in _layout(names).items()}
    elif source.is_file():
        with _open_archive(source) as tree:
            yield tree
    else:
        raise DataError(f"{source}: no such folder or zip")


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    return lambda: path.open("rb")


def _layout(names: Collection[str]) -> dict[str, str]:
    """Map paths in the official layout to the `names` that hold them, at the root or one folder down."""
    found: dict[str, str] = {}
    for prefix in ("spider/", "spider_data/", ""):
        inside = {name.removeprefix(prefix): name for name in names if name.startswith(prefix)}
        found |= {path: name for path, name in inside.items() if _LAYOUT.fullmatch(path)}
    return found


# Archives


@contextmanager
def _open_archive(path: Path) -> Iterator[_Tree]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError) as error:
        raise DataError(f"{path} is not a sound zip: {error}") from error
    with archive:
        members = {info.filename: info for info in archive.infolist()}
        if bad := [name for name in members if _is_unsafe(name)]:
            raise DataError(f"{path} is refused: member {bad[0]!r} has an absolute or parent path")
        layout = _layout(members.keys())
        yield {spot: partial(_open_member, archive, members[name]) for spot, name in layout.items()}


def _is_unsafe(name: str) -> bool:
    """Whether a member wants out of its folder; no name is a target here, but an honest archive has none."""
    return re.match(r"[/\\]|[A-Za-z]:", name) is not None or ".." in re.split(r"[/\\]", name)


def _open_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
        raise DataError("is a link or another special file")
    if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError("is encrypted or compressed in an unusual way")
    return archive.open(info)


def _take_all(job: _Job, tree: _Tree, items: Sequence[Item], local: Path | None = None) -> None:
    """Take what is sound, then raise one DataError for the rest; the total limit covers both."""
    budget = [job.limits.total_bytes]
    faults: list[str] = []
    for item in items:
        try:
            _take(job, tree, item, budget, is_local=local is not None)
        except DataError as error:
            faults.append(f"{item.path} {error}")
    if faults:
        where = "" if local is None else f"{local}: "
        mend = "" if local is None else "; without --from, python scripts/download_spider.py asks the network"
        raise DataError(where + "; ".join(faults) + mend)


def _take(job: _Job, tree: _Tree, item: Item, budget: list[int], *, is_local: bool) -> None:
    if item.path not in tree:
        raise DataError("is missing")
    staged = job.cache / "staging" / item.dest.name
    try:
        with tree[item.path]() as stream:
            chunks = _metered(stream, budget)
            pour(chunks, staged, job.limits.member_bytes, lambda size: job.progress(item.name, size, None))
        _check(item, staged, is_local=is_local)
        _place(job, item, staged)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(f"is damaged: {error}") from error
    finally:
        staged.unlink(missing_ok=True)


def _metered(stream: IO[bytes], budget: list[int]) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        budget[0] -= len(chunk)
        if budget[0] < 0:
            raise DataError("is refused: all files together are larger than the limit")
        yield chunk


# From the network


def _from_network(job: _Job, db_ids: Sequence[str] | None, sources: Sequence[Source]) -> list[Item]:
    limits = job.limits
    with httpx.Client(
        timeout=httpx.Timeout(limits.stall_s, connect=limits.connect_s),
        follow_redirects=True,
        max_redirects=limits.redirects,
        headers={"Accept-Encoding": "identity", "User-Agent": "openenv-sql-env"},
    ) as client:
        if db_ids is None:
            _obtain(job, client, sources, job.questions())
            db_ids = [entry["db_id"] for entry in _entries(job.cache / "tables.json")]
        wanted = job.databases(db_ids)
        questions = [] if _questions_cover(job, db_ids) else job.questions()
        _obtain(job, client, sources, wanted + questions)
    return wanted


def _questions_cover(job: _Job, db_ids: Sequence[str]) -> bool:
    """Whether question files, imported in part perhaps, have a question and a schema for every database."""
    try:
        ids = {name: {entry["db_id"] for entry in _entries(job.cache / name)} for name in QUESTION_SHA256}
    except (DataError, OSError):
        return False
    return set(db_ids) <= ids["tables.json"] & (ids["dev.json"] | ids["train_spider.json"])


def _obtain(job: _Job, client: httpx.Client, sources: Sequence[Source], items: Sequence[Item]) -> None:
    """Ask one source after the other for what is not in place yet; raise with all their reasons."""
    left = _not_in_place(items)
    reasons: list[str] = []
    for source in sources:
        if asked := [item for item in left if source.offers(item)]:
            try:
                _ask(job, client, source, asked)
            except DataError as error:
                logger.warning("%s: %s", source.name, error)
                reasons.append(f"  {source.name}: {error}")
            left = [item for item in left if not _in_place(item)]
    if left:
        missing = f"Spider could not be fetched; still missing: {', '.join(item.name for item in left)}."
        mend = f"Download the zip by hand from {PAGE} and run: python scripts/download_spider.py --from PATH"
        raise DataError("\n".join([missing, *reasons, mend]))


def _ask(job: _Job, client: httpx.Client, source: Source, items: Sequence[Item]) -> None:
    if source.sha256 is not None:
        with _open_archive(_fetched(job, client, source, source.url, source.sha256, source.name)) as tree:
            _take_all(job, tree, items)
        return
    if unknown := [item.name for item in items if item.sha256 is None]:
        raise DataError(f"not asked: no checksum is known for {', '.join(unknown)}")
    for item in items:
        url = source.url.replace("{path}", item.path)
        try:
            _place(job, item, _fetched(job, client, source, url, item.sha256 or "", item.name))
        except DataError as error:
            raise DataError(f"{item.name}: {error}") from error


def _fetched(job: _Job, client: httpx.Client, source: Source, url: str, sha256: str, name: str) -> Path:
    done = job.cache / "downloads" / sha256
    return download(
        client, url, sha256, done, name=name, max_bytes=source.max_bytes, limits=job.limits, progress=job.progress
    )


# Writing and checking


def _check(item: Item, staged: Path, *, is_local: bool) -> None:
    if digest(staged) == item.sha256:
        return
    if item.is_database and item.sha256 is None:
        if not _has_header(staged):
            raise DataError("is not an SQLite database")
        logger.warning("%s: no checksum is committed for it; accepted for its SQLite header", item.name)
    elif is_local and not item.is_database:
        _entries(staged)
    else:
        raise DataError(f"differs from its SHA-256 {item.sha256}")


def _has_header(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_HEADER)) == _HEADER


def _in_place(item: Item) -> bool:
    if not item.dest.is_file():
        return False
    return _has_header(item.dest) if item.sha256 is None else digest(item.dest) == item.sha256


def _not_in_place(items: Sequence[Item]) -> list[Item]:
    """Return the items that have to be fetched; a database that is there but wrong is removed."""
    left = [item for item in items if not _in_place(item)]
    for item in left:
        if item.is_database and item.dest.is_file():
            logger.warning("%s is not the file that it should be: removed", item.dest)
            item.dest.unlink()
    return left


def _entries(path: Path) -> list[dict[str, Any]]:
    """Read one of Spider's JSON files and check that every entry has the strings that are needed of it."""
    needed = ("db_id",) if path.name == "tables.json" else ("db_id", "question", "query")
    try:
        entries = json.loads(path.read_bytes())
    except ValueError as error:
        raise DataError(f"is not JSON: {error}") from error
    if not isinstance(entries, list) or not all(_has_strings(entry, needed) for entry in entries):
        raise DataError(f"is not a JSON list of objects with {', '.join(needed)}")
    return entries


def _has_strings(entry: object, keys: Iterable[str]) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in keys)


def _place(job: _Job, item: Item, checked: Path) -> None:
    item.dest.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.replace(checked, item.dest)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _place_across(checked, item.dest)
    job.fetched.append(item.name)


def _place_across(checked: Path, dest: Path) -> None:
    """Place a file that lies on another file system, where no rename reaches."""
    beside = dest.with_name(f".{dest.name}.part")
    try:
        shutil.copyfile(checked, beside)
        os.replace(beside, dest)
    finally:
        beside.unlink(missing_ok=True)
    checked.unlink()
