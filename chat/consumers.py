"""The socket: reads frames, hands turns to the processor in order, and answers at once what needs no turn."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import structlog
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.urls import reverse

from chat import metrics, protocol
from chat.auth import Identity, NotAuthenticatedError, authenticate, confirm
from chat.connections import SOCKETS_PER_PLAYER, connections
from chat.delivery import REPLAY_MAX, Delivery
from chat.hotpath import LeanConsumer
from chat.processing import finish_turns, processor
from chat.protocol import Ack, Authenticate, CloseCode, Frame, FrameError, Ping
from chat.throttling import Throttle
from chat.upkeep import upkeep
from therapy.database import in_database
from therapy.journal import JournalError, arrival
from therapy.messages import TEXT_MAX, IncomingMessage, OutgoingMessage, UserMessage, new_id, utc_now
from therapy.processor import Answers, Listener
from therapy.sessions import RefusedError

log = structlog.get_logger()

HEARTBEAT_SECONDS = 25
INBOX_MAX = 32
IDLE_SECONDS = 15 * 60
EXPIRY_NOTICE = timedelta(seconds=60)
STALLED_SECONDS = 10.0
BEHIND_MAX = 256
_TRUE = {"1", "true", "yes"}


class ChatConsumer(LeanConsumer):
    """One connection of a player.

    Frames are read one by one; pings are answered there and then, while turns wait in a bounded inbox for the
    connection's own task, which goes on when the socket has gone.
    """

    identity: Identity

    def __init__(self) -> None:
        super().__init__()
        self.connection_id = ""
        self.connected_at = self.acted_at = time.monotonic()
        self.is_open = False
        self.is_busy = False
        self._turns_open = 0
        self._turns: asyncio.Task[None] | None = None
        self._urgent: set[asyncio.Task[None]] = set()
        self.close_code = int(CloseCode.GOING_AWAY)
        self._sending_since: float | None = None
        self._younger: set[str] = set()
        self._has_announced_expiry = False
        self._closing: asyncio.Task[None] | None = None

    # --- coming and going --------------------------------------------------------------------------

    async def connect(self) -> None:
        await self.accept(subprotocol=self.scope.get("subprotocol"))
        self.is_open = True
        self.connection_id = str(new_id())  # rising, so that all agree on which socket is the younger
        found = self.scope["identity"]
        if isinstance(found, Exception):
            await self._turn_away(found)
            return
        self.identity, self.standing = found
        self.throttle = Throttle()
        self.delivery = Delivery(self.identity.player_id, self.send_message)
        self.inbox: list[tuple[IncomingMessage, float]] = []
        self.player_id = self.identity.player_id  # from here on there is something to leave (gone)
        self.wants_typing = self._option("typing").lower() in _TRUE
        self.wants_stream = self._option("stream").lower() in _TRUE
        upkeep.start()
        await connections.connect(self.player_id, self)
        log.info("ws_connect", player_id=str(self.player_id), connection_id=self.connection_id)
        try:
            await self._welcome()
        except Exception as error:
            log.error("welcome_failed", connection_id=self.connection_id, exc_info=error)
            await self._turn_away(error)

    async def _turn_away(self, problem: Exception) -> None:
        if isinstance(problem, NotAuthenticatedError):
            await self._refuse(FrameError(problem.code, problem.text), CloseCode.POLICY)
        else:
            text = "The service can't check who you are right now. Try again in a moment."
            await self._refuse(FrameError("unavailable", text, retry_after_ms=2000), CloseCode.TRY_LATER)

    async def _refuse(self, problem: FrameError, code: CloseCode) -> None:
        await self._tell(problem)
        await self.close_for(code, problem.code)

    async def close_for(self, code: CloseCode, reason: str) -> None:
        """Close with a short machine-readable reason (RFC 6455, 5.5.1). Safe on a socket that has gone."""
        if not self.is_open:
            return
        self.is_open = False
        self.close_code = int(code)
        try:
            await self.close(code=int(code), reason=reason)
        except (OSError, RuntimeError):  # what servers raise for a socket that closed meanwhile
            return

    def close_soon(self, code: CloseCode, reason: str) -> None:
        """Close without waiting for a socket that may take long to hear of it."""
        if self._closing is None:
            self._closing = asyncio.create_task(self.close_for(code, reason))

    async def _welcome(self) -> None:
        """Joined first, so that what is appended from here on wakes this socket; then the log up to now; then live."""
        found = await in_database(arrival, self.player_id)
        head = found.head
        since, problem = self._since()
        is_replayable = since is not None and 0 <= head - since <= REPLAY_MAX
        self.delivery.cursor = since if is_replayable and since is not None else head
        await self.send_message(
            protocol.welcome(
                seq=head,
                resumed=None if since is None else is_replayable,
                heartbeat_seconds=HEARTBEAT_SECONDS,
                limits={
                    "frame_bytes": protocol.FRAME_BYTES_MAX,
                    "text_characters": TEXT_MAX,
                    "rate": settings.CHAT_RATE_LIMIT,
                },
                token_expires_at=self.identity.expires_at,
                history_path=None if since is None or is_replayable else reverse("chat:messages"),
            )
        )
        if problem is not None:
            await self._tell(problem)
        if self.delivery.is_behind(head) or self.delivery.was_woken:
            await self.delivery.catch_up()
        if found.is_awaiting_reply:
            self._finishing = asyncio.create_task(finish_turns(self.identity.player_id))

    def _option(self, name: str) -> str:
        query = parse_qs(self.scope.get("query_string", b"").decode("latin-1"))
        return str(query.get(name, [""])[-1])

    def _since(self) -> tuple[int | None, FrameError | None]:
        text = self._option("since")
        if not text:
            return None, None
        if text.isascii() and text.isdigit() and len(text) <= 18:
            return int(text), None
        sentence = "since must be the seq of the last frame you have, 0 or more. Sending from now on only."
        return None, FrameError("invalid_option", sentence, field="since")

    async def disconnect(self, code: int) -> None:
        if self.is_open:  # else it was us who closed
            self.close_code = code
        await self.gone()

    async def gone(self) -> None:
        """Safe to call more than once. Turns that were taken on are finished all the same."""
        self.is_open = False
        if not hasattr(self, "player_id"):
            return
        player_id = self.player_id
        del self.player_id
        await connections.disconnect(player_id, self)
        log.info(
            "ws_disconnect",
            player_id=str(player_id),
            connection_id=self.connection_id,
            code=self.close_code,
            seconds=round(time.monotonic() - self.connected_at, 3),
        )

    # --- reading -----------------------------------------------------------------------------------

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **_: Any) -> None:
        """A frame. Whatever is wrong with it, the socket lives on and the sender is told."""
        if not self.is_open:
            return
        try:
            await self._receive(text_data)
        except FrameError as problem:
            await self._tell(problem)
        except Exception as error:
            log.error("frame_failed", connection_id=self.connection_id, exc_info=error)
            await self._tell(_internal(None))

    async def _receive(self, text: str | None) -> None:
        wait_ms = self.throttle.retry_after_ms()
        if wait_ms is not None:
            client_id = await self._heed_crisis(text)
            sentence = "That was a lot at once. Wait a moment, then send it again."
            raise FrameError("rate_limited", sentence, client_id=client_id, retry_after_ms=wait_ms)
        if text is None:
            raise FrameError("binary_frame", "Send text frames that hold JSON, not binary ones.")
        frame = protocol.parse(text)
        metrics.labelled(metrics.MESSAGES_IN, frame.type).inc()
        log.info("message_in", connection_id=self.connection_id, message_type=frame.type, bytes=len(text))
        await self._take(frame)

    async def _take(self, frame: Frame) -> None:
        if isinstance(frame, Ping):
            await self.send_message(protocol.pong(frame.id))
            return
        if isinstance(frame, Authenticate):
            await self._renew(frame)
            return
        self.acted_at = time.monotonic()
        if connections.is_draining:
            await self._answer_crisis(frame)
            text = "The server restarts. Send it again when you are connected again."
            raise FrameError("restarting", text, client_id=frame.id, retry_after_ms=2000)
        if len(self.inbox) + len(self._urgent) >= INBOX_MAX:
            await self._answer_crisis(frame)
            text = "Earlier messages are still being answered. Wait a moment, then send it again."
            raise FrameError("inbox_full", text, client_id=frame.id, retry_after_ms=1000)
        is_urgent = self.is_busy and self._is_crisis(frame)
        self._count_turns(+1)
        if is_urgent:  # danger does not wait behind what was said before it
            task = asyncio.create_task(self._take_turn(frame, self.acted_at))
            self._urgent.add(task)
            task.add_done_callback(self._urgent.discard)
        else:
            self.inbox.append((frame, self.acted_at))
            if self._turns is None or self._turns.done():
                self._turns = asyncio.create_task(self._take_turns())

    def _count_turns(self, change: int) -> None:
        self._turns_open += change
        self.is_busy = self._turns_open > 0

    def _is_crisis(self, frame: IncomingMessage) -> bool:
        return isinstance(frame, UserMessage) and processor().is_crisis(self.identity.player_id, frame)

    async def _heed_crisis(self, text: str | None) -> str | None:
        """A frame is refused, but somebody in danger is answered. Returns the frame's own id."""
        try:
            frame = protocol.parse(text or "")
        except FrameError as problem:
            return problem.client_id
        await self._answer_crisis(frame)
        return frame.id

    async def _answer_crisis(self, frame: Frame) -> None:
        if isinstance(frame, UserMessage):
            for message in processor().answer_crisis(self.identity.player_id, frame):
                await self.send_message(message)

    async def _renew(self, frame: Authenticate) -> None:
        """A fresh token for this socket, of the same player only."""
        try:
            identity, standing = await authenticate(frame.content.token)
        except NotAuthenticatedError as problem:
            field = "content.token"
            raise FrameError(problem.code, problem.text, field=field, client_id=frame.id) from problem
        if identity.player_id != self.identity.player_id:
            text = "This token is another player's. Open a new connection with it."
            raise FrameError("token_of_another", text, field="content.token", client_id=frame.id)
        self.identity, self.standing = identity, standing
        self._has_announced_expiry = False
        await self.send_message(
            protocol.event("authenticated", in_reply_to=frame.id, token_expires_at=identity.expires_at)
        )

    # --- turns -------------------------------------------------------------------------------------

    async def _take_turns(self) -> None:
        """The connection's own task: its turns, one after the other, until none waits."""
        while self.inbox:
            await self._take_turn(*self.inbox.pop(0))

    async def _take_turn(self, incoming: IncomingMessage, arrived_at: float) -> None:
        try:
            await self._turn(incoming)
        except FrameError as problem:
            await self._tell(problem)
        except Exception as error:
            log.error("turn_failed", connection_id=self.connection_id, exc_info=error)
            await self._tell(_internal(incoming.id))
        finally:
            self._count_turns(-1)
        metrics.REPLY_SECONDS.observe(time.monotonic() - arrived_at)

    async def _turn(self, incoming: IncomingMessage) -> None:
        is_typing = self.wants_typing and isinstance(incoming, UserMessage)
        said_id = f"msg_{new_id()}"
        self.delivery.expect(said_id, incoming.id)
        if is_typing:
            await self.send_message(protocol.typing("start", incoming.id))
        try:
            answers = await processor().process(
                self.identity.player_id, incoming, said_id=said_id, listener=self._listener(incoming)
            )
            if answers.is_duplicate:
                self.delivery.unexpect(said_id)
            await self._deliver(answers, incoming.id)
        except RefusedError as refused:
            self.delivery.unexpect(said_id)
            raise FrameError(
                refused.code, refused.text, field=refused.field, client_id=incoming.id
            ) from refused
        except JournalError as error:
            self.delivery.unexpect(said_id)
            raise _not_stored(error, incoming) from error
        finally:
            if is_typing:
                await self.send_message(protocol.typing("stop", incoming.id))

    async def _deliver(self, answers: Answers, client_id: str | None) -> None:
        if answers.said is not None and not answers.is_duplicate:
            connections.broadcast_to_player(self.identity.player_id, answers.last_seq, but=self)
        await self.delivery.answer(answers, client_id)

    def _listener(self, incoming: IncomingMessage) -> Listener:
        async def on_stored(answers: Answers) -> None:
            await self._deliver(answers, incoming.id)

        if not self.wants_stream:
            return Listener(on_stored)

        async def on_delta(text: str) -> None:
            await self.send_message(protocol.event("reply_delta", text, in_reply_to=incoming.id))

        async def on_void() -> None:
            await self.send_message(protocol.event("reply_void", in_reply_to=incoming.id))

        return Listener(on_stored, on_delta, on_void)

    # --- what others tell ----------------------------------------------------------------------------

    async def log_appended(self, event: dict[str, Any]) -> None:
        """A nudge from another process."""
        self.heard_of_head(event["seq"])

    def heard_of_head(self, head: int) -> None:
        """The player's log has grown to `head`."""
        processor().sessions.saw(self.identity.player_id, head)
        if self.delivery.is_behind(head):
            self.delivery.wake()

    async def socket_opened(self, event: dict[str, str]) -> None:
        self.hear_of(event)

    async def socket_closed(self, event: dict[str, str]) -> None:
        self.hear_of(event)

    def hear_of(self, event: dict[str, str]) -> None:
        """Another socket of the player came or went, in whichever process; with too many younger ones, this goes."""
        if event["type"] == "socket.closed":
            self._younger.discard(event["id"])
        elif event["id"] > self.connection_id:
            self._younger.add(event["id"])
            if len(self._younger) >= SOCKETS_PER_PLAYER:
                self.close_soon(CloseCode.POLICY, "too_many_connections")

    def tick(self) -> None:
        """Every second: does this socket go on?"""
        now, until_expiry = time.monotonic(), self.identity.expires_at - utc_now()
        if until_expiry <= timedelta(0):
            self.close_soon(CloseCode.POLICY, "token_expired")
        elif until_expiry <= EXPIRY_NOTICE and not self._has_announced_expiry:
            self._has_announced_expiry = True
            self.delivery.send_soon(
                protocol.event("token_expiring", token_expires_at=self.identity.expires_at)
            )
        if now - self.acted_at > IDLE_SECONDS:
            self.close_soon(CloseCode.POLICY, "idle")
        if self._sending_since is not None:
            is_far_behind = self.delivery.lag > BEHIND_MAX
            if is_far_behind or now - self._sending_since > STALLED_SECONDS:
                self.close_soon(CloseCode.TRY_LATER, "slow_reader")

    async def check_identity(self) -> None:
        """The user has changed: does the token still stand for an active one?"""
        try:
            self.standing = await confirm(self.identity)
        except NotAuthenticatedError as problem:
            self.close_soon(CloseCode.POLICY, problem.code)

    # --- writing -----------------------------------------------------------------------------------

    async def send_message(self, message: OutgoingMessage | Ack) -> None:
        """Send a frame, unless the socket has gone: then the log keeps what matters."""
        if not self.is_open:
            return
        self._sending_since = time.monotonic()
        try:
            await self.base_send({"type": "websocket.send", "text": protocol.serialize(message)})
        except (OSError, RuntimeError):  # what servers raise for a socket that closed meanwhile
            self.is_open = False
            return
        finally:
            self._sending_since = None
        metrics.labelled(metrics.MESSAGES_OUT, message.role).inc()
        if not isinstance(message, Ack):  # of a turn, a line when it came and one when it was answered
            log.info("message_out", connection_id=self.connection_id, role=message.role, seq=message.seq)

    async def _tell(self, problem: FrameError) -> None:
        metrics.labelled(metrics.ERRORS, problem.code).inc()
        await self.send_message(protocol.error(problem))


def _internal(client_id: str | None) -> FrameError:
    text = "Something went wrong on our side. Please send it again."
    return FrameError("internal", text, client_id=client_id, retry_after_ms=1000)


def _not_stored(error: JournalError, incoming: IncomingMessage) -> FrameError:
    if error.may_retry:
        text = "This could not be stored just now. It will be if you send it again in a moment."
        return FrameError("not_stored", text, client_id=incoming.id, retry_after_ms=1000)
    return FrameError("not_storable", "This can't be stored as it is.", client_id=incoming.id)


class UnknownPathConsumer(AsyncWebsocketConsumer):
    """Any other WebSocket path: closed without a word, in place of a traceback."""

    async def connect(self) -> None:
        await self.close()
