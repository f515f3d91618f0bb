"""The ASGI entry point: the hook path ahead of Django, pages and API behind it, websockets."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "leadsend.settings")
application = get_asgi_application()
