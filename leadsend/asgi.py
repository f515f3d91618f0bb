"""The ASGI entry point: the hook path ahead of Django, pages and API behind it, websockets."""

from __future__ import annotations

import os
import warnings
from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.conf import settings
from django.core.asgi import get_asgi_application

from leadsend.lib.body_limit import limited

# Static files are small and read at once; the warning would greet everybody who runs it.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "leadsend.settings")
django_application = limited(get_asgi_application(), limit_bytes=settings.BODY_LIMIT_BYTES)

# Models can be imported only once Django is set up, and Celery's app must be the current one
# before anything rings.
from leadsend.celery import app as celery_app  # noqa: E402
from runtime.routing import websocket_urlpatterns  # noqa: E402
from triggers import hook_server  # noqa: E402

celery_app.set_current()
websockets = AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns)))


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Hand a connection to whom it belongs."""
    kind = scope["type"]
    if kind == "lifespan":
        await _live(receive, send)
    elif kind == "websocket":
        await websockets(scope, receive, send)
    elif scope["path"].startswith(hook_server.PREFIX):
        await hook_server.serve_hook(scope, receive, send)
    else:
        await django_application(scope, receive, send)


async def _live(receive: Any, send: Any) -> None:
    """Answer the server's start and stop; what was accepted is committed before the end."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await hook_server.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
