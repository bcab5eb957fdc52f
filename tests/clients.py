"""A device of a player, as tests drive it: through the whole ASGI application."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from channels.testing import WebsocketCommunicator

TIMEOUT_SECONDS = 5


class Device:
    """One socket. `welcome` is its first frame; helpers read until what they look for has come."""

    def __init__(self, communicator: WebsocketCommunicator) -> None:
        self.communicator = communicator
        self.welcome: dict[str, Any] = {}
        self.subprotocol: str | None = None

    @classmethod
    async def connect(cls, **options: Any) -> Device:
        """A socket that was accepted, with its first frame in `welcome`: the welcome, or why it was turned away."""
        device, is_accepted = await cls.knock(**options)
        assert is_accepted, f"refused with {device.subprotocol}"
        device.welcome = await device.receive()
        return device

    @classmethod
    async def knock(
        cls,
        *,
        bearer: str | None = None,
        authorization: str | None = None,
        origin: str | None = None,
        path: str = "/ws/chat",
        **query: Any,
    ) -> tuple[Device, bool]:
        """A socket, and whether it was accepted."""
        from config.asgi import application

        protocols = ["chat.v1", f"bearer.{bearer}"] if bearer else []
        headers = [(b"origin", origin.encode())] if origin is not None else []
        headers += [(b"authorization", authorization.encode())] if authorization is not None else []
        address = f"{path}?{urlencode(query)}" if query else path
        device = cls(WebsocketCommunicator(application, address, headers=headers, subprotocols=protocols))
        is_accepted, device.subprotocol = await device.communicator.connect(TIMEOUT_SECONDS)
        return device, is_accepted

    async def send(self, type: str, *, raw: str | None = None, **frame: Any) -> None:
        text = json.dumps({"type": type, **frame}) if raw is None else raw
        await self.communicator.send_input({"type": "websocket.receive", "text": text})

    async def say(self, text: str, **frame: Any) -> None:
        await self.send("user_message", content={"text": text}, **frame)

    async def press(self, element_id: str, **frame: Any) -> None:
        await self.send("interaction", content={"action": "button_click", "id": element_id}, **frame)

    async def rate(self, rating: int, **content: Any) -> None:
        await self.send("feedback", content={"rating": rating, **content})

    async def switch(self, **context: str) -> dict[str, Any]:
        await self.send("switch_context", content=context)
        return await self.receive_until(event="context_switched")

    async def set(self, **changes: Any) -> dict[str, Any]:
        await self.send("update_settings", content=changes)
        return await self.receive_until(event="settings_updated")

    async def do(self, exercise: str) -> dict[str, Any]:
        """Start and complete an exercise; the answer to its completion."""
        await self.press(f"ex_{exercise}")
        await self.receive_until(role="interactive")
        await self.press(f"ex_{exercise}_complete")
        return await self.receive_until(role="interactive")

    async def receive(self) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(await self.communicator.receive_from(TIMEOUT_SECONDS))
        return frame

    async def receive_until(self, **wanted: Any) -> dict[str, Any]:
        """The next frame with this `role`, `event` or `code`; what comes before is dropped."""
        while True:
            frame = await self.receive()
            seen = {"role": frame["role"], **frame["content"]}
            if all(seen.get(key) == value for key, value in wanted.items()):
                return frame

    async def frames(self, count: int) -> list[dict[str, Any]]:
        return [await self.receive() for _ in range(count)]

    async def error(self) -> dict[str, Any]:
        """The content of the next error frame."""
        content: dict[str, Any] = (await self.receive_until(event="error"))["content"]
        return content

    async def ask(self, text: str, **frame: Any) -> dict[str, Any]:
        """Say something and take the assistant's answer."""
        await self.say(text, **frame)
        return await self.receive_until(role="assistant")

    async def is_silent(self) -> bool:
        return bool(await self.communicator.receive_nothing(0.1))

    async def closed_with(self) -> tuple[int, str]:
        output = await self.communicator.receive_output(TIMEOUT_SECONDS)
        assert output["type"] == "websocket.close", output["type"]
        return output["code"], output.get("reason", "")

    async def close(self) -> None:
        await self.communicator.disconnect()
