from django.contrib import admin
from django.urls import include, path

admin.site.site_header = admin.site.site_title = "Therapeutic chat: clinic"
admin.site.index_title = "Overview"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("chat.urls")),
]
