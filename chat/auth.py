"""Who is there: access tokens for the socket and the REST paths. The one place that knows simplejwt.

A token carries its user's token version and a digest of the password's hash, so that logging out, a new password
and deactivation end it at once. Refresh tokens open nothing but the refresh path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import parse_qs, urlparse

from channels.middleware import BaseMiddleware
from channels.security.websocket import OriginValidator, WebsocketDenier
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import Error as DatabaseFault
from django.db.models import F
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import InvalidToken, TokenError
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer, TokenRefreshSerializer
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from chat.protocol import PROTOCOL
from therapy.database import in_database
from therapy.models import PlayerProfile

BEARER = "bearer."
_VERSION, _PASSWORD = "ver", "pwd"


class NotAuthenticatedError(Exception):
    """Nobody may come in with this. `code` is machine-readable and becomes the reason of the close frame."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code)
        self.code, self.text = code, text


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom an access token stands for, and until when."""

    player_id: Any
    version: int
    password: str
    expires_at: datetime

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at <= now


# --- tokens ------------------------------------------------------------------------------------------


def _password_digest(user: AbstractBaseUser) -> str:
    """Changes with the password (Django's own session hash, an HMAC); too short to be of other use."""
    return str(user.get_session_auth_hash())[:16]


def _mark(token: Token, user: AbstractBaseUser) -> None:
    profile, _ = PlayerProfile.objects.get_or_create(pk=user.pk)
    token[_VERSION] = profile.token_version
    token[_PASSWORD] = _password_digest(user)


def access_token(user: AbstractBaseUser, lifetime: timedelta | None = None) -> str:
    token = AccessToken.for_user(user)
    _mark(token, user)
    if lifetime is not None:
        token.set_exp(lifetime=lifetime)
    return str(token)


def read_token(token: str) -> Identity:
    """Check signature, issuer, audience, type and time; NotAuthenticatedError says what is wrong."""
    try:
        claims = AccessToken(cast(Any, token))
        player_id = get_user_model()._meta.pk.to_python(claims["user_id"])
        expires_at = datetime.fromtimestamp(claims["exp"], UTC)
        return Identity(player_id, int(claims[_VERSION]), str(claims[_PASSWORD]), expires_at)
    except TokenError as error:
        if "expired" in str(error).lower():
            raise NotAuthenticatedError("token_expired", "This token has expired. Get a new one.") from error
        raise NotAuthenticatedError("token_invalid", "This token is not valid here.") from error
    except Exception as error:  # a forged payload can be of any shape
        raise NotAuthenticatedError("token_invalid", "This token is not valid here.") from error


def standings(player_ids: Sequence[Any]) -> dict[Any, Any]:
    """For each user something that changes when their tokens may have ended; cheap to ask for many."""
    users = get_user_model().objects.filter(pk__in=player_ids)
    rows = users.values_list("pk", "is_active", "password", "therapy_profile__token_version")
    return {
        player_id: hash((is_active, password, version or 0))
        for player_id, is_active, password, version in rows
    }


def standing_of(user: Any) -> Any:
    """The same for a user at hand."""
    profile = getattr(user, "therapy_profile", None)
    return hash((user.is_active, user.password, profile.token_version if profile else 0))


def find_user(identity: Identity) -> AbstractBaseUser:
    """The active user whose current version and password a token carries; NotAuthenticatedError if there is none."""
    user = get_user_model().objects.select_related("therapy_profile").filter(pk=identity.player_id).first()
    if user is None or not user.is_active:
        raise NotAuthenticatedError("user_inactive", "This account is not active.")
    profile = getattr(user, "therapy_profile", None)
    version = profile.token_version if profile else 0
    if (identity.version, identity.password) != (version, _password_digest(user)):
        raise NotAuthenticatedError("token_revoked", "This token was ended by logging out or a new password.")
    return user


def log_out(refresh_token: str) -> None:
    """End every token of the player whose refresh token this is, and with them every live socket."""
    player_id = RefreshToken(cast(Any, refresh_token), verify=False)["user_id"]
    PlayerProfile.objects.filter(pk=player_id).update(token_version=F("token_version") + 1)


# --- REST --------------------------------------------------------------------------------------------


class PlayerAuthentication(JWTAuthentication):
    def get_validated_token(self, raw_token: bytes) -> Identity:  # type: ignore[override]
        try:
            return read_token(raw_token.decode(errors="replace"))
        except NotAuthenticatedError as error:
            raise InvalidToken({"detail": error.text, "code": error.code}) from error

    def get_user(self, validated_token: Identity) -> AbstractBaseUser:  # type: ignore[override]
        try:
            return find_user(validated_token)
        except NotAuthenticatedError as error:
            raise InvalidToken({"detail": error.text, "code": error.code}) from error


class PlayerAuthenticationScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document names it."""

    target_class = "chat.auth.PlayerAuthentication"
    name = "accessToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class PlayerTokenObtainSerializer(TokenObtainPairSerializer):
    @classmethod
    def get_token(cls, user: Any) -> Token:
        token = super().get_token(user)
        _mark(token, user)
        return token


class PlayerTokenRefreshSerializer(TokenRefreshSerializer):
    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        token = RefreshToken(attrs["refresh"])
        claims = (token.get("user_id"), token.get(_VERSION), token.get(_PASSWORD))
        try:
            find_user(Identity(*claims, expires_at=datetime.fromtimestamp(token["exp"], UTC)))
        except NotAuthenticatedError as error:
            raise InvalidToken({"detail": error.text, "code": error.code}) from error
        return super().validate(attrs)


# --- the socket --------------------------------------------------------------------------------------


def _headers(scope: dict[str, Any], name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope.get("headers", ()) if key.lower() == name]


def offered_token(scope: dict[str, Any]) -> str | None:
    """Subprotocol `bearer.<jwt>` first, then the Authorization header, then the query's `token`."""
    for protocol in scope.get("subprotocols", ()):
        if protocol.startswith(BEARER):
            return str(protocol.removeprefix(BEARER))
    for header in _headers(scope, b"authorization"):
        scheme, _, token = header.partition(" ")
        if scheme.lower() == "bearer":
            return token.strip()
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    return query["token"][-1] if "token" in query else None


async def authenticate(token: str | None) -> tuple[Identity, Any]:
    """Whom a token stands for, and their standing; NotAuthenticatedError says why nobody."""
    if not token:
        raise NotAuthenticatedError(
            "token_missing", "Log in first: no access token came with the connection."
        )
    identity = read_token(token)
    return identity, await confirm(identity)


async def confirm(identity: Identity) -> Any:
    """The user's standing; NotAuthenticatedError if they have lost the right to be here."""
    user = await in_database(find_user, identity)
    return standing_of(user)


class JWTAuthMiddleware(BaseMiddleware):
    """Puts an Identity with its standing, or why there is none, into `scope["identity"]`; and the subprotocol to answer with.

    It lets everybody through: the consumer accepts and closes, so that browsers can see why.
    """

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> Any:
        identity: tuple[Identity, Any] | NotAuthenticatedError | DatabaseFault
        try:
            identity = await authenticate(offered_token(scope))
        except (NotAuthenticatedError, DatabaseFault) as error:
            identity = error
        subprotocol = PROTOCOL if PROTOCOL in scope.get("subprotocols", ()) else None
        return await super().__call__(
            {**scope, "identity": identity, "subprotocol": subprotocol}, receive, send
        )


class OriginCheck(OriginValidator):
    """403 for pages of other origins. No Origin at all is a native client, which its token alone lets in."""

    def __init__(self, application: Any) -> None:
        super().__init__(application, settings.CHAT_ALLOWED_ORIGINS)

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> Any:
        application = self.application if self._is_allowed(scope) else WebsocketDenier()
        return await application(scope, receive, send)

    def _is_allowed(self, scope: dict[str, Any]) -> bool:
        try:
            return all(self.validate_origin(urlparse(origin)) for origin in _headers(scope, b"origin"))
        except ValueError:  # what claims to be a URL and is none
            return False
