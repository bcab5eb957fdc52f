"""Over HTTP: the player's page, tokens, the player's own log and markers, documents, and health."""

from __future__ import annotations

from typing import Any, cast

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from drf_spectacular.utils import OpenApiParameter, extend_schema
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest, multiprocess
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.views import TokenBlacklistView, TokenObtainPairView, TokenRefreshView

from chat import asyncapi, protocol
from chat.auth import PlayerTokenObtainSerializer, PlayerTokenRefreshSerializer, log_out
from chat.connections import connections
from therapy.journal import READ_MAX, journal, messages_after
from therapy.models import ProgressMarker


@require_safe
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    """The player's page. Everything personal comes over the socket, after logging in."""
    return render(request, "chat/index.html")


class TokenView(TokenObtainPairView):
    serializer_class = PlayerTokenObtainSerializer


class RefreshView(TokenRefreshView):
    serializer_class = PlayerTokenRefreshSerializer


class LogoutView(TokenBlacklistView):
    """Ends the refresh token, and with it every token and live socket of the player."""

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response = super().post(request, *args, **kwargs)
        log_out(str(cast(dict[str, Any], request.data)["refresh"]))
        return response


class PageSerializer(serializers.Serializer[Any]):
    """The part of the log that is asked for."""

    after = serializers.IntegerField(min_value=0, max_value=2**62, default=0)
    limit = serializers.IntegerField(min_value=1, max_value=READ_MAX, default=200)


class MessagesSerializer(serializers.Serializer[Any]):
    messages = serializers.ListField(child=serializers.DictField())


class MarkerSerializer(serializers.ModelSerializer[ProgressMarker]):
    description = serializers.CharField()
    exercise = serializers.CharField(source="run.exercise", default=None)

    class Meta:
        model = ProgressMarker
        fields = ["marker_id", "marker_type", "description", "achieved_at", "therapeutic_value", "exercise"]


class ProgressSerializer(serializers.Serializer[Any]):
    markers = MarkerSerializer(many=True)


@method_decorator(never_cache, "dispatch")
class MessagesView(APIView):
    """The caller's own log, as the socket would send it."""

    @extend_schema(
        responses=MessagesSerializer,
        parameters=[
            OpenApiParameter("after", int, description="Sequence number of the last frame the caller has."),
            OpenApiParameter(
                "limit", int, description=f"At most so many frames, 1 to {READ_MAX}; 200 if not given."
            ),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        asked = PageSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        found = messages_after(request.user.pk, asked.validated_data["after"], asked.validated_data["limit"])
        body = b'{"messages":[' + b",".join(protocol.serialize(message).encode() for message in found) + b"]}"
        return HttpResponse(body, content_type="application/json")


@method_decorator(never_cache, "dispatch")
class ProgressView(APIView):
    """The caller's own progress markers, the newest first; at most 1,000."""

    @extend_schema(responses=ProgressSerializer)
    def get(self, request: Request) -> HttpResponse:
        markers = ProgressMarker.objects.filter(player_id=request.user.pk).select_related("run")[:1000]
        return JsonResponse({"markers": MarkerSerializer(markers, many=True).data})


@require_safe
def asyncapi_document(request: HttpRequest) -> HttpResponse:
    return HttpResponse(orjson.dumps(asyncapi.document()), content_type="application/json")


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """For Prometheus. With several workers (PROMETHEUS_MULTIPROC_DIR) the sum over all of them."""
    registry = REGISTRY
    if settings.WORKERS > 1:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
async def readyz(request: HttpRequest) -> HttpResponse:
    """New players can be served: what they say can be stored, and the process is not about to end."""
    if connections.is_draining:
        return JsonResponse({"status": "restarting"}, status=503)
    if not await journal().is_writable():
        return JsonResponse({"status": "database unavailable"}, status=503)
    return JsonResponse({"status": "ok"})
