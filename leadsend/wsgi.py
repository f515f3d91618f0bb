"""The WSGI entry point, for servers without ASGI: hooks are then served by the Django view."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "leadsend.settings")
application = get_wsgi_application()
