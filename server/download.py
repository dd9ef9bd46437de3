"""One file over HTTP: resumed where it broke off, bounded in size, checked by SHA-256, in place by one rename.

Guaranteed: what `download` returns is the file with that SHA-256. Not guaranteed: an end to waiting for a server that
sends a byte now and then; two downloads of one file at the same time.
"""

import logging
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import httpx

from sql_env.server.databases import sha256 as sha256_of
from sql_env.server.errors import DataError

logger = logging.getLogger(__name__)

CHUNK = 1 << 16
MB = 1_000_000
_PAGE_CAME = "an HTML page came instead of the data"

Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes that have arrived, and the bytes expected (None: unknown)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a fetch puts up with: seconds, attempts a file, bytes that leave a folder or archive."""

    connect_s: float = 10.0
    stall_s: float = 30.0
    attempts: int = 4
    backoff_s: float = 0.5
    redirects: int = 10
    member_bytes: int = 512 * MB
    total_bytes: int = 4_000 * MB


LIMITS = Limits()


class _PassingError(DataError):
    """A fault of the network that may be over on the next attempt."""


def download(
    client: httpx.Client,
    url: str,
    sha256: str,
    done: Path,
    *,
    name: str,
    max_bytes: int,
    limits: Limits = LIMITS,
    progress: Progress = lambda name, size, total: None,
) -> Path:
    """Return the file with that SHA-256, downloading what of it is not at ``done`` or beside it yet.

    Args:
        client: Brings time-outs and the bound of redirects.
        url: Where it is.
        sha256: What it has to be.
        done: Where it is put; a partial one is kept beside it as ``.part``.
        name: For messages and progress.
        max_bytes: A larger file is refused.
        limits: Attempts and the pause between them.
        progress: Told how far it is.

    Raises:
        DataError: It could not be had; says why.
    """
    part = done.with_suffix(".part")
    if digest(done) == sha256:
        return done
    fault = ""
    for attempt in range(limits.attempts):
        time.sleep(limits.backoff_s * (2**attempt - 1))
        try:
            resumed = digest(part) != sha256 and _receive(client, url, part, name, max_bytes, limits, progress)
            _settle(part, done, sha256, resumed=resumed)
        except _PassingError as error:
            logger.info("%s: attempt %d: %s", name, attempt + 1, error)
            fault = str(error)
        else:
            return done
    raise DataError(f"{fault} ({limits.attempts} attempts)")


def _receive(
    client: httpx.Client, url: str, part: Path, name: str, max_bytes: int, limits: Limits, progress: Progress
) -> bool:
    """Append to a partial file what the server has beyond it, or write it anew; say whether it appended."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        with client.stream("GET", url, headers=headers) as response:
            start = _start_of(response, have, part)
            length = response.headers.get("Content-Length", "")
            total = start + int(length) if length.isdecimal() else None
            # No chunk size: httpx would lose what it holds back when the connection breaks.
            chunks = response.iter_raw()
            pour(chunks, part, max_bytes, lambda size: progress(name, size, total), start)
    except httpx.TooManyRedirects as error:
        raise DataError(f"more than {limits.redirects} redirects") from error
    except httpx.TimeoutException as error:
        raise _PassingError(f"timed out ({type(error).__name__})") from error
    except httpx.HTTPError as error:
        raise _PassingError(f"connection failed ({str(error) or type(error).__name__})") from error
    return start > 0


def _start_of(response: httpx.Response, have: int, part: Path) -> int:
    """Return the offset at which a response's body begins, or raise for one that is not the file."""
    status = response.status_code
    if status in (408, 429) or status >= 500:
        raise _PassingError(f"HTTP {status}")
    if status not in (200, 206, 416):
        raise DataError(f"HTTP {status}")
    if status != 416 and "html" in response.headers.get("Content-Type", ""):
        raise DataError(_PAGE_CAME)
    if status == 200:
        return 0
    if status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        return have
    part.unlink(missing_ok=True)
    raise _PassingError("the server cannot resume what it sent before")


def _settle(part: Path, done: Path, sha256: str, *, resumed: bool) -> None:
    """Rename a download that is what it should be, delete one that is not."""
    if digest(part) == sha256:
        os.replace(part, done)
        return
    with part.open("rb") as file:
        head = file.read(512).lower()
    part.unlink()
    if b"<html" in head or b"<!doctype html" in head:
        raise DataError(_PAGE_CAME)
    fault = "its SHA-256 is not the pinned one"
    # The beginning of a resumed file may be from an older, broken run: it deserves one from zero.
    raise _PassingError(fault) if resumed else DataError(fault)


def pour(chunks: Iterable[bytes], target: Path, limit: int, tell: Callable[[int], None], start: int = 0) -> None:
    """Write chunks into a file from an offset on; past the limit in bytes, delete it and raise."""
    target.parent.mkdir(parents=True, exist_ok=True)
    size = start
    with target.open("ab" if start else "wb") as file:
        for chunk in chunks:
            size += len(chunk)
            if size > limit:
                break
            file.write(chunk)
            tell(size)
    if size > limit:
        target.unlink()
        raise DataError(f"is refused: larger than the limit of {limit:,} bytes")


def digest(path: Path) -> str | None:
    """Return a file's SHA-256, or None if there is none."""
    return sha256_of(path) if path.is_file() else None
