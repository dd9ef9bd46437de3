"""Which database files exist: db_id to file, and nothing that is not listed.

A data set keeps its databases at ``databases/<db_id>/<db_id>.sqlite``. Names come from the folder's checksum
list, never from a client, so no request can name a path. Besides, a database may live in memory only.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from sql_env.server.errors import DataError

CHECKSUMS = "questions/SHA256SUMS"

SQLValue: TypeAlias = None | int | float | str | bytes
"""What one cell of an SQLite database can hold."""


@dataclass(frozen=True)
class Database:
    """One SQLite database that may be served: a file, or an image of one in memory.

    Attributes:
        db_id: its name.
        path: its file; of one in memory, what messages call it, which differs when the content does.
        image: the bytes of one in memory, as a file would hold them (what SQLite calls serialised).
    """

    db_id: str
    path: Path
    image: bytes | None = field(default=None, repr=False, compare=False)

    @classmethod
    def in_memory(cls, db_id: str, image: bytes) -> "Database":
        """Return a database of these bytes, which needs no file."""
        return cls(db_id, Path("in memory", hashlib.sha256(image).hexdigest()[:16]), image)

    @cached_property
    def key(self) -> str:
        """What tells it from any other: for whatever remembers databases, without keeping images alive."""
        return f"{self.db_id}\0{self.path}"

    @cached_property
    def size(self) -> int:
        """Its size in bytes; 0 where its file is missing."""
        if self.image is not None:
            return len(self.image)
        try:
            return self.path.stat().st_size
        except OSError:
            return 0


class Databases(Mapping[str, Database]):
    """The databases of one data set, by db_id.

    Args:
        folder: the data set's folder, which holds ``databases/``.
        db_ids: the databases that exist; each is expected at its place.
    """

    def __init__(self, folder: Path, db_ids: list[str]) -> None:
        self._databases = {db_id: Database(db_id, database_path(folder, db_id)) for db_id in db_ids}

    @classmethod
    def listed(cls, folder: Path, names: Iterable[str]) -> "Databases":
        """Return the databases among the names of a checksum list."""
        return cls(folder, sorted({Path(name).stem for name in names if name.startswith("databases/")}))

    def __getitem__(self, db_id: str) -> Database:
        return self._databases[db_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._databases)

    def __len__(self) -> int:
        return len(self._databases)


def database_path(folder: Path, db_id: str) -> Path:
    """Return where a data set keeps a database."""
    return folder / "databases" / db_id / f"{db_id}.sqlite"


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_checksums(path: Path) -> dict[str, str]:
    """Read a file in sha256sum's format: relative path to digest.

    Raises:
        DataError: the file is missing or a line is not ``<64 hex digits>  <path>``.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        raise DataError(f"{path} is missing") from None
    checksums = {}
    for number, line in enumerate(lines, 1):
        digest, _, name = line.partition("  ")
        if len(digest) != 64 or not name:
            raise DataError(f"{path}:{number}: expected '<sha256>  <path>'")
        checksums[name] = digest
    return checksums


def write_checksums(folder: Path, names: list[str]) -> None:
    """Write the checksum list of a data set's files, named relative to its folder."""
    lines = [f"{sha256(folder / name)}  {name}\n" for name in names]
    (folder / CHECKSUMS).write_text("".join(lines), "utf-8")


def verify(folder: Path, remedy: str) -> list[str]:
    """Check every file of a data set against its checksum list; return the names.

    Args:
        folder: the data set's folder.
        remedy: the command that mends it, for the error message.

    Raises:
        DataError: a file is missing or differs.
    """
    if not (folder / CHECKSUMS).is_file():
        raise DataError(f"{folder / CHECKSUMS} is missing; run: {remedy}")
    checksums = read_checksums(folder / CHECKSUMS)
    for name, expected in checksums.items():
        path = folder / name
        if not path.is_file():
            raise DataError(f"{path} is missing; run: {remedy}")
        if sha256(path) != expected:
            raise DataError(f"{path} differs from its checksum in {folder / CHECKSUMS}; run: {remedy}")
    return list(checksums)
