from __future__ import annotations

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from chat import views

app_name = "chat"
urlpatterns = [
    path("", views.page, name="page"),
    path("api/token/", views.TokenView.as_view(), name="token"),
    path("api/token/refresh/", views.RefreshView.as_view(), name="token-refresh"),
    path("api/token/blacklist/", views.LogoutView.as_view(), name="token-blacklist"),
    path("api/messages/", views.MessagesView.as_view(), name="messages"),
    path("api/progress/", views.ProgressView.as_view(), name="progress"),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/asyncapi.json", views.asyncapi_document, name="asyncapi"),
    path("metrics", views.metrics, name="metrics"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
]
