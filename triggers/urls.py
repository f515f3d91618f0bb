"""Addresses of pages of this app."""

from __future__ import annotations

from django.urls import path

from triggers import form_pages

urlpatterns = [
    path("forms/<str:token>/", form_pages.form_page, name="form"),
    path("forms/<str:token>/thanks/", form_pages.thanks_page, name="form_thanks"),
]
