"""From the message log to one socket. What is live, what is resumed and what a lost nudge is healed by is one way:
send, in order, what the log holds after the cursor, and move the cursor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from chat.protocol import Ack
from therapy.journal import read_after
from therapy.messages import OutgoingMessage
from therapy.processor import Answers

REPLAY_MAX = 1000
#: Read at a time; so many of the longest messages (40 KB of UTF-8) are the 1 MB that may wait for a slow reader.
_PAGE = 25

Send = Callable[[OutgoingMessage | Ack], Awaitable[None]]


def seq_of(message: OutgoingMessage) -> int:
    """The sequence number of a message of the log."""
    assert message.seq is not None
    return message.seq


class Delivery:
    """One socket's place in its player's log.

    `cursor` is the sequence number of the last frame sent; None until the welcome has set it.
    """

    def __init__(self, player_id: Any, send: Send) -> None:
        self.player_id = player_id
        self.cursor: int | None = None
        self._send = send
        self.head = 0
        self._sending: set[asyncio.Future[None]] = set()
        self._own: dict[str, str | None] = {}
        self._lock = asyncio.Lock()
        self._waking: asyncio.Task[None] | None = None
        self._wake_again = False
        self.was_woken = False  # before the welcome, by what the log may have got since its head was read

    def expect(self, said_id: str, client_id: str | None) -> None:
        """This socket sends the message `said_id`: in place of the message it gets an ack, if it gave an id."""
        self._own[said_id] = client_id

    def unexpect(self, said_id: str) -> None:
        self._own.pop(said_id, None)

    async def answer(self, answers: Answers, client_id: str | None) -> None:
        """Answer the asking socket from memory; the log fills in what other devices said before."""
        if answers.said is None:
            for message in answers:
                await self._send(message)
        elif answers.is_duplicate:
            await self._answer_again(answers, answers.said, client_id)
        else:
            async with self._lock:
                messages = [answers.said, *answers]
                first = next((seq_of(m) for m in messages if seq_of(m) > (self.cursor or 0)), None)
                if first is not None and first > (self.cursor or 0) + 1:
                    await self._send_from_log(until=first)
                await self._send_next(messages)

    async def _answer_again(self, answers: Answers, said: OutgoingMessage, client_id: str | None) -> None:
        if client_id is not None:
            await self._send(Ack(client_id, seq_of(said), is_duplicate=True))
        for message in answers:
            marked = message.metadata.model_copy(update={"duplicate": True})
            await self._send(message.model_copy(update={"metadata": marked}))

    async def catch_up(self) -> None:
        """Send everything the log holds after the cursor."""
        async with self._lock:
            await self._send_from_log()

    def wake(self) -> None:
        """The log may have grown: catch up soon. However often it is called, one catching-up waits at most."""
        if self.cursor is None:  # not welcomed yet
            self.was_woken = True
            return
        if self._waking is not None and not self._waking.done():
            self._wake_again = True
            return
        self._waking = asyncio.create_task(self._catch_up_again())

    def is_behind(self, head: int) -> bool:
        """Whether the log, grown to `head`, holds what this socket was not sent yet."""
        self.head = max(self.head, head)
        return self.lag > 0

    @property
    def lag(self) -> int:
        """How many frames of the log this socket is known to be behind."""
        return 0 if self.cursor is None else max(0, self.head - self.cursor)

    def send_soon(self, message: OutgoingMessage) -> None:
        """Send a frame that stands in no log, without waiting for the socket."""
        task = asyncio.ensure_future(self._send(message))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _catch_up_again(self) -> None:
        self._wake_again = True
        while self._wake_again:
            self._wake_again = False
            await self.catch_up()

    async def _send_from_log(self, until: int | None = None) -> None:
        while True:
            page = await read_after(self.player_id, self.cursor or 0, _PAGE)
            await self._send_next(message for message in page if until is None or seq_of(message) < until)
            if len(page) < _PAGE:
                return

    async def _send_next(self, messages: Iterable[OutgoingMessage]) -> None:
        for message in messages:
            seq = seq_of(message)
            if self.cursor is None or seq <= self.cursor:
                continue
            if message.id in self._own:
                client_id = self._own.pop(message.id)
                if client_id is not None:
                    await self._send(Ack(client_id, seq, is_duplicate=False))
            else:
                await self._send(message)
            self.cursor = seq
