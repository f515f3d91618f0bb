"""Websockets that tell pages when a run changed. Who may not see it is turned away at the door."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.contrib.auth.models import AnonymousUser

from leadsend.access.models import User
from runtime import live
from runtime.models import Execution


class ChangesConsumer(AsyncJsonWebsocketConsumer):
    """Base: joins its groups when the user may see them, and passes their messages on."""

    joined: list[str]

    async def connect(self) -> None:
        """Let the user in, or refuse the handshake (403)."""
        user: Any = self.scope.get("user")
        self.joined = await self.groups_of(user or AnonymousUser())
        if not self.joined:
            await self.close()
            return
        for group in self.joined:
            await self.channel_layer.group_add(group, self.channel_name)
        await self.accept()
        await self.greet()

    async def disconnect(self, code: int) -> None:
        """Leave the groups."""
        for group in self.joined:
            await self.channel_layer.group_discard(group, self.channel_name)

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """Take nothing: the API is the place to ask for something."""

    async def change(self, message: dict[str, Any]) -> None:
        """Pass a change on."""
        await self.send_json(message)

    async def groups_of(self, user: User | AnonymousUser) -> list[str]:
        """Return the groups the user may listen to; none refuses them."""
        raise NotImplementedError

    async def greet(self) -> None:
        """Say what holds now, so that nothing between page and connection is missed."""


class ExecutionConsumer(ChangesConsumer):
    """``/ws/executions/{id}/``: the states of one run, the present one first."""

    current: live.Change

    async def groups_of(self, user: User | AnonymousUser) -> list[str]:
        """Return the run's group when the user may see the run."""
        found = await database_sync_to_async(_visible_change)(user, self._execution_id())
        if found is None:
            return []
        self.current = found
        return [live.execution_group(found.execution_id)]

    async def greet(self) -> None:
        """Send the present state."""
        await self.send_json(self.current.message())

    def _execution_id(self) -> UUID:
        return UUID(str(self.scope["url_route"]["kwargs"]["execution_id"]))


class HomeConsumer(ChangesConsumer):
    """``/ws/home/``: all runs of the user's projects."""

    async def groups_of(self, user: User | AnonymousUser) -> list[str]:
        """Return the groups of the user's projects."""
        return await database_sync_to_async(_home_groups)(user)


def _visible_change(user: User | AnonymousUser, execution_id: UUID) -> live.Change | None:
    execution = Execution.objects.visible_to(user).filter(pk=execution_id).first()
    return None if execution is None else live.change_of(execution)


def _home_groups(user: User | AnonymousUser) -> list[str]:
    if not isinstance(user, User):
        return []
    projects = user.projects()
    return [live.home_group(pk) for pk in projects.values_list("pk", flat=True)]
