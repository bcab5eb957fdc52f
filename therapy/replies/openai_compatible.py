"""A language model behind an OpenAI-compatible API, through pydantic-ai (optional extra).

The module imports without the extra; building an engine then says what is missing. Nothing of a request or
an answer goes into an error: reasons are classes and status codes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from .base import Draft, EngineError, ReplyRequest, Utterance
from .prompt import system_prompt

MISSING = "The OpenAI-compatible engine needs the extra: pip install 'pydantic-ai-slim[openai]>=2.68,<3'"
#: Tokens of the conversation, the system prompt aside. The oldest lines are left out first.
CONTEXT_TOKENS = 2_000
ANSWER_TOKENS = 220
#: An estimate that errs upwards for English and Spanish: three characters a token, and four tokens around a message.
CHARACTERS_PER_TOKEN = 3
TOKENS_AROUND_MESSAGE = 4
#: A connection that says nothing for so long is given up; the turn's own deadline is the relay's.
SILENCE_SECONDS = 8.0
#: Asking again does not help: the request, the key, the model or the address is wrong.
PERMANENT_STATUS = frozenset({400, 401, 403, 404, 405, 410, 413, 415, 422})


def estimate_tokens(text: str) -> int:
    """Counted in UTF-8 bytes, so that scripts with more tokens per letter count for more."""
    return -(-len(text.encode()) // CHARACTERS_PER_TOKEN) + TOKENS_AROUND_MESSAGE


def bounded(
    recent: tuple[Utterance, ...], text: str, limit: int = CONTEXT_TOKENS
) -> tuple[tuple[Utterance, ...], str]:
    """The newest lines that fit beside the player's text; a text that is too long by itself keeps both its ends."""
    room = limit - estimate_tokens(text)
    if room < 0:
        half = max(1, (limit - TOKENS_AROUND_MESSAGE) * CHARACTERS_PER_TOKEN // 8)
        return (), f"{text[:half]} … {text[-half:]}"
    kept: list[Utterance] = []
    for line in reversed(recent):
        room -= estimate_tokens(line.text)
        if room < 0:
            break
        kept.append(line)
    return tuple(reversed(kept)), text


class OpenAICompatibleEngine:
    name = "openai_compatible"

    def __init__(
        self, *, base_url: str, model: str, api_key: str, context_tokens: int = CONTEXT_TOKENS
    ) -> None:
        try:
            from openai import AsyncOpenAI
            from pydantic_ai.models.openai import OpenAIChatModel
            from pydantic_ai.profiles.openai import OpenAIModelProfile
            from pydantic_ai.providers.openai import OpenAIProvider
        except ImportError as error:
            raise EngineError(MISSING, permanent=True) from error
        # Repeating is the relay's, which knows the turn's deadline.
        client = AsyncOpenAI(
            base_url=base_url, api_key=api_key or "none", max_retries=0, timeout=SILENCE_SECONDS
        )
        self._client, self._context_tokens = client, context_tokens
        # A stream that ends without saying why was cut off.
        profile = OpenAIModelProfile(openai_chat_streaming_requires_finish_reason=True)
        self._model = OpenAIChatModel(model, provider=OpenAIProvider(openai_client=client), profile=profile)

    async def draft(self, request: ReplyRequest) -> Draft:
        from pydantic_ai.direct import model_request

        with _failures_named():
            response = await model_request(
                self._model, self._messages(request), model_settings=_settings(request)
            )
            text = (response.text or "").strip()
        if not text:
            raise EngineError("empty_answer")
        return Draft(text, self.name)

    async def stream(self, request: ReplyRequest) -> AsyncIterator[str]:
        from pydantic_ai.direct import model_request_stream

        with _failures_named():
            async with model_request_stream(
                self._model, self._messages(request), model_settings=_settings(request)
            ) as response:
                async for event in response:
                    piece = _text_of(event)
                    if piece:
                        yield piece

    async def close(self) -> None:
        await self._client.close()

    def _messages(self, request: ReplyRequest) -> list[Any]:
        from pydantic_ai.messages import (
            ModelRequest,
            ModelResponse,
            SystemPromptPart,
            TextPart,
            UserPromptPart,
        )

        recent, text = bounded(request.recent, request.text, self._context_tokens)
        messages: list[Any] = [ModelRequest(parts=[SystemPromptPart(system_prompt(request))])]
        for line in recent:
            if line.speaker == "player":
                messages.append(ModelRequest(parts=[UserPromptPart(line.text)]))
            else:
                messages.append(ModelResponse(parts=[TextPart(line.text)]))
        return [*messages, ModelRequest(parts=[UserPromptPart(text)])]


def _settings(request: ReplyRequest) -> Any:
    return {"max_tokens": ANSWER_TOKENS, "temperature": 0.6, "seed": request.seed & 0x7FFF_FFFF}


def _text_of(event: Any) -> str:
    part = getattr(event, "part", None) or getattr(event, "delta", None)
    kind = getattr(part, "part_kind", "") or getattr(part, "part_delta_kind", "")
    if getattr(event, "event_kind", "") not in {"part_start", "part_delta"} or kind != "text":
        return ""
    return getattr(part, "content", None) or getattr(part, "content_delta", None) or ""


@contextmanager
def _failures_named() -> Iterator[None]:
    from openai import OpenAIError
    from pydantic_ai.exceptions import AgentRunError, ModelHTTPError, UserError

    try:
        yield
    except ModelHTTPError as error:
        raise EngineError(
            f"status_{error.status_code}", permanent=error.status_code in PERMANENT_STATUS
        ) from None
    except UserError as error:
        raise EngineError(type(error).__name__, permanent=True) from None
    except (AgentRunError, OpenAIError, OSError, ValueError) as error:
        raise EngineError(type(error).__name__) from None
