"""Answers are JSON, whatever the request's Accept header hopes for."""

from __future__ import annotations

from rest_framework import renderers


class JSONRenderer(renderers.JSONRenderer):
    """Writes JSON; ids and times are text, and a number that JSON cannot say is an error."""

    strict = True
