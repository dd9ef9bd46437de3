"""HTTP requests that end: each try has one deadline for all of it, and no answer is longer than a limit.

An HTTP client's time-outs hold for one read: a server that sends a byte a second keeps it for ever. Here a request's
time-out covers the try as a whole, from the name's look-up over redirects to the answer's last byte, and an answer is
read into at most ``LONGEST_ANSWER`` bytes and one more part. Any number of threads may ask at once: requests run on one
event loop, on a thread of its own, because there a request can be called off wherever it waits.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

import httpx
import openai

if TYPE_CHECKING:
    from httpx2 import Request, Response

LONGEST_ANSWER = 10_000_000
"""Bytes, after decompression; a reply of 100,000 tokens has half a million."""
LIMITS = type(openai.DEFAULT_CONNECTION_LIMITS)(max_connections=None, max_keepalive_connections=256)
"""How many connections there are is for the number of episodes at once to say: nobody should wait for one."""
_REPLACED = ("content-encoding", "content-length", "transfer-encoding")

Result = TypeVar("Result")


class TooLongError(openai.OpenAIError):
    """An answer is longer than LONGEST_ANSWER."""


class BoundedClient(openai.DefaultAsyncHttpxClient):
    """The SDK's HTTP client; a request's time-out holds for the whole of it, and answers are not endless."""

    def __init__(self) -> None:
        super().__init__(limits=LIMITS)

    async def send(self, request: "Request", **options: Any) -> "Response":
        """Send a request and read the answer.

        Raises:
            httpx.ReadTimeout: it was not there in time; the SDK tries again after it.
            TooLongError: it is too long.
        """
        seconds = request.extensions["timeout"]["read"]
        try:
            async with asyncio.timeout(seconds):
                response = await super().send(request, **options | {"stream": True})
                try:
                    return _whole(response, await _read(response))
                finally:
                    await response.aclose()
        except TimeoutError:
            raise httpx.ReadTimeout(f"no whole answer within {seconds:g} s", request=cast(Any, request)) from None


async def _read(response: "Response") -> bytes:
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > LONGEST_ANSWER:
            raise TooLongError(f"the answer is longer than {LONGEST_ANSWER:,} bytes")
    return bytes(body)


def _whole(response: "Response", body: bytes) -> "Response":
    """Return the response with its body; the type is that of the HTTP library that the SDK came with."""
    return type(response)(
        response.status_code,
        headers=[(name, value) for name, value in response.headers.multi_items() if name.lower() not in _REPLACED],
        content=body,
        request=response.request,
        extensions=response.extensions,
        history=response.history,
    )


class LoopThread:
    """An event loop on a thread of its own, until it is closed.

    Args:
        name: the thread's.
        finish: what is done on the loop last.
    """

    def __init__(self, name: str, finish: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._finish = finish
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), name=name, daemon=True)
        self._thread.start()
        started.wait()

    def _run(self, started: threading.Event) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            self._closing = asyncio.Event()
            self._loop.call_soon(started.set)
            runner.run(self._wait())

    async def _wait(self) -> None:
        await self._closing.wait()
        await self._finish()

    def call(self, job: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine on the loop, and wait for it.

        Raises:
            RuntimeError: the loop is closed.
        """
        try:
            waiting = asyncio.run_coroutine_threadsafe(job, self._loop)
        except RuntimeError:
            job.close()
            raise
        return waiting.result()

    def let_go(self) -> None:
        """Call off what is running, and let the thread end; any thread may ask for it, the garbage collector too."""
        with suppress(RuntimeError):  # it is closed
            self._loop.call_soon_threadsafe(self._closing.set)

    def close(self) -> None:
        """Call off what is running, and end the thread."""
        self.let_go()
        self._thread.join()
