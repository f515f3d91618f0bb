"""What can be used: the catalogue of the code, mirrored so that admin can switch entries off."""

from __future__ import annotations

from django.db import models

from leadsend.lib import clock, ids


class RegistryEntry(models.Model):
    """What actions, trigger types and credential types have in common."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    key = models.CharField(max_length=80, unique=True)
    version = models.PositiveIntegerField(default=1)
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    icon = models.CharField(max_length=40, blank=True)
    config_schema = models.JSONField(default=dict)
    is_enabled = models.BooleanField(default=True, help_text="Switched off: hidden from builders.")
    is_deprecated = models.BooleanField(
        default=False, editable=False, help_text="No longer in the code; old versions name it."
    )
    updated_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.key


class ActionEntry(RegistryEntry):
    """An action that steps may use."""

    sentence = models.CharField(max_length=300)
    category = models.CharField(max_length=40)
    delivery = models.CharField(max_length=20)
    aliases = models.JSONField(default=list)
    output_schema = models.JSONField(default=dict)
    example = models.JSONField(default=dict)
    sample_output = models.JSONField(default=dict, null=True)

    class Meta:
        db_table = "workflow_action_registry"
        verbose_name = "action"
        ordering = ["key"]


class TriggerEntry(RegistryEntry):
    """A way in which work starts."""

    sentence = models.CharField(max_length=300)
    stored_type = models.CharField(max_length=20)
    event_schema = models.JSONField(default=dict)
    sample_event = models.JSONField(default=dict)

    class Meta:
        db_table = "workflow_trigger_registry"
        verbose_name = "trigger type"
        ordering = ["key"]


class CredentialTypeEntry(RegistryEntry):
    """A form of authentication data."""

    secret_fields = models.JSONField(default=list)

    class Meta:
        db_table = "credential_type"
        verbose_name = "credential type"
        ordering = ["key"]
