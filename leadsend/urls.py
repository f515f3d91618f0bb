"""Every address of LeadSend, by the app that answers it."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path

from leadsend import api, health
from triggers.views import receive_hook

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("api/", include(api.urls())),
    # Under ASGI these are answered ahead of Django (triggers.hook_server).
    re_path("^hooks/(?P<token>[^/]{1,64})/?$", receive_hook, name="hook"),
    re_path("^livez/?$", health.livez, name="livez"),
    re_path("^readyz/?$", health.readyz, name="readyz"),
    re_path("^healthz/?$", health.healthz, name="healthz"),
    re_path("^metrics/?$", health.metrics, name="metrics"),
    path("", include("leadsend.site.urls")),
]
