"""The resources of this app alone, at their place in the product."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import DefaultRouter

from runtime.api.routes import ROUTES

router = DefaultRouter()
for prefix, viewset, basename in ROUTES:
    router.register(prefix, viewset, basename)
urlpatterns = [path("api/v1/", include(router.urls))]
