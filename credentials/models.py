"""Stored authentication data; the secret part is sealed and only the vault opens it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Lower

from leadsend.access.models import ProjectQuerySet, ProjectRow, User
from leadsend.lib import clock
from registry.models import CredentialTypeEntry


class CredentialQuerySet(ProjectQuerySet):
    """Credentials without their secret: a list query must not depend on readable ciphertexts."""

    def without_secret(self) -> CredentialQuerySet:
        """Leave the sealed text in the database."""
        return self.defer("sealed")


class CredentialManager(models.Manager.from_queryset(CredentialQuerySet)):  # type: ignore[misc] # built at run time
    """Defers the sealed text in every query; the vault asks for it by name."""

    def get_queryset(self) -> CredentialQuerySet:
        """Return credentials whose sealed text stays in the database."""
        queryset: CredentialQuerySet = super().get_queryset()
        return queryset.without_secret()


class UserCredential(ProjectRow):
    """One connection to another system.

    ``public`` holds the fields that may be shown. ``sealed`` is the ciphertext of a JSON envelope
    that names this row, so it opens nowhere else.
    """

    name = models.CharField(max_length=200)
    type = models.ForeignKey(CredentialTypeEntry, on_delete=models.PROTECT, related_name="+")
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    public = models.JSONField(default=dict)
    sealed = models.TextField(editable=False)
    hint = models.CharField(max_length=8, blank=True, help_text="Last letters, to tell apart.")
    key_id = models.CharField(max_length=16, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_test_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_test_ok = models.BooleanField(null=True, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)

    objects: ClassVar = CredentialManager()

    class Meta:
        db_table = "user_credentials"
        verbose_name = "connection"
        constraints = [
            models.UniqueConstraint("project", Lower("name"), name="credential_name_once")
        ]

    def __str__(self) -> str:
        return self.name
