"""Addresses of one person's pages."""

from __future__ import annotations

from django.urls import path

from leadsend.access import views

urlpatterns = [
    path("login/", views.login, name="login"),
    path("logout/", views.sign_out, name="logout"),
    path("settings/", views.settings, name="settings"),
]
