"""Databases: only what the checksum list names, and every file as it was listed."""

import hashlib
from pathlib import Path

import pytest

from sql_env.server.databases import (
    CHECKSUMS,
    Database,
    Databases,
    database_path,
    read_checksums,
    sha256,
    verify,
    write_checksums,
)
from sql_env.server.errors import DataError

NAMES = ["databases/a/a.sqlite", "questions/a.jsonl"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    write_checksums(tmp_path, NAMES)
    return tmp_path


def test_a_database_lies_in_a_folder_of_its_name(tmp_path: Path) -> None:
    databases = Databases(tmp_path, ["a", "b"])
    assert databases["b"] == Database("b", tmp_path / "databases" / "b" / "b.sqlite")
    assert databases["a"].path == database_path(tmp_path, "a")
    assert list(databases) == ["a", "b"]
    assert len(databases) == 2


@pytest.mark.parametrize("name", ["c", "", "A", "../a", "a/../a", "a.sqlite", "/etc/passwd", "a\0"])
def test_what_is_not_listed_does_not_exist(tmp_path: Path, name: str) -> None:
    databases = Databases(tmp_path, ["a", "b"])
    assert name not in databases
    with pytest.raises(KeyError):
        databases[name]


def test_digest_is_that_of_the_bytes(folder: Path) -> None:
    assert sha256(folder / NAMES[0]) == hashlib.sha256(NAMES[0].encode()).hexdigest()


def test_checksums_are_read_as_they_were_written(folder: Path) -> None:
    assert read_checksums(folder / CHECKSUMS) == {name: sha256(folder / name) for name in NAMES}


def test_a_folder_as_listed_passes(folder: Path) -> None:
    assert verify(folder, "mend it") == NAMES


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("position", [0, -1])
def test_one_changed_byte_is_found(folder: Path, name: str, position: int) -> None:
    data = bytearray((folder / name).read_bytes())
    data[position] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(DataError, match="differs from its checksum") as error:
        verify(folder, "mend it")
    assert str(folder / name) in str(error.value)
    assert str(error.value).endswith("run: mend it")


@pytest.mark.parametrize("name", [*NAMES, CHECKSUMS])
def test_a_missing_file_is_found(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(DataError, match="is missing; run: mend it") as error:
        verify(folder, "mend it")
    assert str(folder / name) in str(error.value)


@pytest.mark.parametrize("line", ["abc  a.sqlite", "0" * 64, "0" * 64 + " a.sqlite", "0" * 63 + "  a"])
def test_a_malformed_list_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "SHA256SUMS"
    path.write_text(f"{'0' * 64}  good\n{line}\n")
    with pytest.raises(DataError, match=r"SHA256SUMS:2: expected '<sha256>  <path>'"):
        read_checksums(path)


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="SHA256SUMS is missing"):
        read_checksums(tmp_path / "SHA256SUMS")
