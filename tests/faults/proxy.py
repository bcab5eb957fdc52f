"""A network between device and server that swallows, cuts and stalls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

CHUNK = 65536


class Proxy:
    """Passes bytes on in both directions, until it is told to do something worse."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = ""
        self.is_swallowing = False
        self.cut_after: int | None = None  # bytes to the device, in the middle of a frame as likely as not
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers += [writer, to_writer]
        for source, sink, is_down in ((reader, to_writer, False), (to_reader, writer, True)):
            task = asyncio.create_task(self._pass_on(source, sink, is_down))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, is_down: bool) -> None:
        with suppress(OSError):
            while data := await source.read(CHUNK):
                if self.is_swallowing:
                    continue
                if is_down and self.cut_after is not None:
                    data, self.cut_after = data[: self.cut_after], self.cut_after - len(data)
                    sink.write(data)
                    if self.cut_after < 0:
                        self.cut_after = None
                        await sink.drain()
                        self.cut()
                        return
                else:
                    sink.write(data)
                await sink.drain()
        if not self.is_swallowing:
            sink.close()

    def cut(self) -> None:
        """End every connection without a goodbye."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()


@asynccontextmanager
async def proxy(port: int, path: str = "/ws/chat") -> AsyncIterator[Proxy]:
    between = Proxy(port)
    listening = await asyncio.start_server(between.serve, "127.0.0.1", 0)
    between.url = f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}{path}"
    try:
        yield between
    finally:
        listening.close()
        between.cut()
        for task in list(between._tasks):
            task.cancel()
        if between._tasks:
            await asyncio.wait(between._tasks)
