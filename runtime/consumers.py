"""Websockets that tell pages when a run changed. Who may not see it is turned away at the door."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.contrib.auth.models import AnonymousUser

from leadsend.access.models import User
from leadsend.lib import clock
from runtime import live
from runtime.models import Execution
from workflows.models import Workflow


class ChangesConsumer(AsyncJsonWebsocketConsumer):
    """Base: joins its groups when the user may see them, and tells what is said there.

    At most ten messages a second: ``{"type": "change", …the newest change…, "count"}``, where
    ``count`` is how many messages it stands for.
    """

    joined: list[str]

    async def connect(self) -> None:
        """Let the user in, or refuse the handshake (403)."""
        self._newest: dict[str, Any] = {}
        self._count = 0
        self._next_at = 0.0
        self._teller: asyncio.Task[None] | None = None
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
        if self._teller is not None:
            self._teller.cancel()
        for group in self.joined:
            await self.channel_layer.group_discard(group, self.channel_name)

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """Take nothing: the API is the place to ask for something."""

    async def change(self, message: dict[str, Any]) -> None:
        """Keep a change for the next message to the page."""
        self._newest = message
        self._count += 1
        if self._teller is None or self._teller.done():
            self._teller = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        while self._count:
            await asyncio.sleep(max(0.0, self._next_at - clock.monotonic()))
            told = {**self._newest, "count": self._count}
            self._count = 0
            self._next_at = clock.monotonic() + live.EVERY_S
            await self.send_json(told)

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
        return [live.runs_group(found.execution_id)]

    async def runs_change(self, message: dict[str, Any]) -> None:
        """Keep the run's new state, when it is among those that changed."""
        status = message["statuses"].get(str(self.current.execution_id))
        if status is not None:
            await self.change(replace(self.current, status=status).message())

    async def greet(self) -> None:
        """Send the present state."""
        await self.send_json({**self.current.message(), "count": 1})

    def _execution_id(self) -> UUID:
        return UUID(str(self.scope["url_route"]["kwargs"]["execution_id"]))


class WorkflowConsumer(ChangesConsumer):
    """``/ws/workflows/{id}/``: the runs of one workflow."""

    async def groups_of(self, user: User | AnonymousUser) -> list[str]:
        """Return the workflow's group when the user may see the workflow."""
        workflow_id = UUID(str(self.scope["url_route"]["kwargs"]["workflow_id"]))
        is_seen = await database_sync_to_async(_is_seen)(user, workflow_id)
        return [live.workflow_group(workflow_id)] if is_seen else []


class HomeConsumer(ChangesConsumer):
    """``/ws/home/``: all runs of the user's projects."""

    async def groups_of(self, user: User | AnonymousUser) -> list[str]:
        """Return the groups of the user's projects."""
        return await database_sync_to_async(_home_groups)(user)


def _visible_change(user: User | AnonymousUser, execution_id: UUID) -> live.Change | None:
    execution = Execution.objects.visible_to(user).filter(pk=execution_id).first()
    return None if execution is None else live.change_of(execution)


def _is_seen(user: User | AnonymousUser, workflow_id: UUID) -> bool:
    return Workflow.objects.visible_to(user).not_deleted().filter(pk=workflow_id).exists()


def _home_groups(user: User | AnonymousUser) -> list[str]:
    if not isinstance(user, User):
        return []
    projects = user.projects()
    return [live.home_group(pk) for pk in projects.values_list("pk", flat=True)]
