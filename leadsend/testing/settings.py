"""Settings of the test run: those of the product, with a cheap hasher and no connection pool."""

from __future__ import annotations

import tempfile
from pathlib import Path

from leadsend import env
from leadsend.settings import *  # noqa: F403 - these settings are the product's, with exceptions
from leadsend.settings import DATABASES, STORAGES

# A pool keeps connections open, which stops the test database from being dropped.
DATABASES["default"]["OPTIONS"].pop("pool")
DATABASES["default"]["TEST"] = {"NAME": f"test_{env.text('LEADSEND_TEST_DB', 'leadsend')}"}
# Whitenoise warns of a folder that is only there after collectstatic.
STATIC_ROOT = Path(tempfile.mkdtemp(prefix="leadsend-static-"))
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["objects"] = {
    "BACKEND": "leadsend.lib.objects.DurableFiles",
    "OPTIONS": {"location": tempfile.mkdtemp(prefix="leadsend-test-"), "allow_overwrite": True},
}
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
CELERY_BROKER_URL = "memory://"
CELERY_BROKER_TRANSPORT_OPTIONS = {}
EMAIL_URL = ""
