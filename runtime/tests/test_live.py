from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.routing import URLRouter
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from redis.exceptions import ConnectionError as RedisAway

from leadsend.access.models import Membership, Project, Role, User
from leadsend.lib import ids
from runtime import live
from runtime.live import Change, Crier
from runtime.routing import websocket_urlpatterns
from runtime.tests.conftest import make_execution


def change(status="RUNNING", execution_id=None):
    return Change(
        execution_id=execution_id or ids.uuid7(),
        project_id=ids.uuid7(),
        workflow_id=ids.uuid7(),
        status=status,
    )


class AwayLayer:
    async def group_send(self, group, message):
        raise RedisAway


class DeafLayer:
    async def group_send(self, group, message):
        await asyncio.Event().wait()


@pytest.mark.parametrize("layer", [AwayLayer(), DeafLayer()])
def test_a_layer_that_is_away_or_hangs_harms_nobody(monkeypatch, layer):
    monkeypatch.setattr(live, "get_channel_layer", lambda: layer)
    monkeypatch.setattr(live, "_TIMEOUT_S", 0.01)

    assert asyncio.run(live.send([change()])) is False


def test_without_a_layer_nothing_is_sent_and_nothing_fails(monkeypatch):
    monkeypatch.setattr(live, "get_channel_layer", lambda: None)

    assert asyncio.run(live.send([change()])) is True


def quiet_crier(monkeypatch):
    crier = Crier()
    monkeypatch.setattr(crier, "_run", lambda: None)
    return crier


def test_of_several_states_only_the_last_is_told(monkeypatch):
    crier = quiet_crier(monkeypatch)
    run = ids.uuid7()

    crier.tell([change("RUNNING", run)])
    crier.tell([change("WAITING", run), change("SUCCESS", run)])

    assert [kept.status for kept in crier.take()] == ["SUCCESS"]
    assert crier.take() == []


def test_what_waits_is_bounded(monkeypatch):
    crier = quiet_crier(monkeypatch)

    crier.tell(change() for _ in range(live.MOST_KEPT + 50))

    assert len(crier.take()) == live.MOST_KEPT


TELLER = """
import django
django.setup()
from runtime import live
from runtime.tests.test_live import change

class Layer:
    async def group_send(self, group, message):
        print(group.split(".")[0], message["type"], flush=True)
        told.set()

import threading
told = threading.Event()
live.get_channel_layer = Layer
live.publish_now([change("SUCCESS")])
told.wait(20)
"""


def test_the_thread_that_tells_keeps_no_process_from_ending():
    told = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", TELLER],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "leadsend.testing.settings"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert told.stdout.splitlines()[0] == "workflow change"


@pytest.mark.django_db(transaction=True)
def test_changes_are_told_after_the_commit_only(monkeypatch):
    told: list[Change] = []
    monkeypatch.setattr(live, "publish_now", told.extend)

    with transaction.atomic():
        live.publish([change()])
        assert told == []
    assert len(told) == 1


@pytest.fixture
def people(project):
    """A viewer of the project, and a stranger of another one."""
    other = Project.objects.create(name="Other", slug="other")
    vera = User.objects.create_user("vera@example.org")
    eve = User.objects.create_user("eve@example.org")
    Membership.objects.create(project=project, user=vera, role=Role.VIEWER)
    Membership.objects.create(project=other, user=eve, role=Role.ADMIN)
    return vera, eve, project


class Socket:
    """A websocket of a user, as a server would open it."""

    def __init__(self, path, user):
        scope = {"type": "websocket", "path": path, "headers": [], "user": user}
        self.wire = ApplicationCommunicator(URLRouter(websocket_urlpatterns), scope)

    async def receive(self):
        return json.loads((await self.wire.receive_output())["text"])

    async def say(self, content):
        await self.wire.send_input({"type": "websocket.receive", "text": json.dumps(content)})

    async def hears_nothing(self):
        return await self.wire.receive_nothing(0.05)

    async def leave(self):
        await self.wire.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wire.wait()


async def opened(path, user):
    """Return the socket, or None when the handshake was refused."""
    socket = Socket(path, user)
    await socket.wire.send_input({"type": "websocket.connect"})
    answer = await socket.wire.receive_output()
    return socket if answer["type"] == "websocket.accept" else None


@pytest.mark.django_db(transaction=True)
def test_a_run_is_shown_live_to_who_may_see_it_and_to_nobody_else(people, workflow):
    vera, eve, _ = people
    run = make_execution(workflow, "RUNNING")
    path = f"/ws/executions/{run.pk}/"

    async def story():
        socket = await opened(path, vera)
        assert (await socket.receive())["status"] == "RUNNING"
        assert await live.send([live.change_of(run)])
        assert (await socket.receive())["execution_id"] == str(run.pk)
        await socket.leave()
        for who in (eve, AnonymousUser(), None):
            assert await opened(path, who) is None
        assert await opened(f"/ws/executions/{ids.uuid7()}/", vera) is None

    asyncio.run(story())


@pytest.mark.django_db(transaction=True)
def test_who_looks_at_a_run_hears_nothing_of_others_in_the_same_message(people, workflow):
    vera, *_ = people
    run = make_execution(workflow, "RUNNING")
    beside = ids.uuid7()
    beside = type(beside)(int=beside.int - beside.int % live._SHARES + run.pk.int % live._SHARES)
    assert live.runs_group(beside) == live.runs_group(run.pk)

    async def story():
        socket = await opened(f"/ws/executions/{run.pk}/", vera)
        await socket.receive()
        assert await live.send([change("FAILED", beside)])
        assert await socket.hears_nothing()
        now = replace(live.change_of(run), status="SUCCESS")
        assert await live.send([change("FAILED", beside), now])
        told = await socket.receive()
        assert (told["execution_id"], told["status"]) == (str(run.pk), "SUCCESS")
        assert await socket.hears_nothing()
        await socket.leave()

    asyncio.run(story())


def test_however_many_runs_change_few_messages_tell_of_them(monkeypatch):
    sent = []

    class Layer:
        async def group_send(self, group, message):
            sent.append((group, message))

    monkeypatch.setattr(live, "get_channel_layer", Layer)
    project, workflow = ids.uuid7(), ids.uuid7()
    runs = [
        replace(change("WAITING"), project_id=project, workflow_id=workflow)
        for _ in range(live.MOST_KEPT)
    ]

    assert asyncio.run(live.send(runs))

    told = [message["statuses"] for group, message in sent if group.startswith("runs.")]
    assert {run for one in told for run in one} == {str(run.execution_id) for run in runs}
    assert len(sent) <= live._SHARES + live.MOST_AT_HOME + 1
    assert max(len(json.dumps(one)) for one in told) < 8000


@pytest.mark.django_db(transaction=True)
def test_home_tells_about_the_projects_of_the_user_only(people):
    vera, eve, project = people

    async def story():
        hers, theirs = await opened("/ws/home/", vera), await opened("/ws/home/", eve)
        told = Change(
            execution_id=ids.uuid7(),
            project_id=project.pk,
            workflow_id=ids.uuid7(),
            status="FAILED",
        )
        assert await live.send([told])
        assert (await hers.receive())["status"] == "FAILED"
        assert await theirs.hears_nothing()
        await hers.say({"type": "change", "status": "SUCCESS"})
        assert await hers.hears_nothing()
        await hers.leave()
        await theirs.leave()
        assert await opened("/ws/home/", AnonymousUser()) is None
        nobody = await sync_to_async(User.objects.create_user)("new@example.org")
        assert await opened("/ws/home/", nobody) is None

    asyncio.run(story())


@pytest.mark.django_db(transaction=True)
def test_a_workflow_tells_about_its_own_runs_only(people, workflow):
    vera, eve, project = people
    path = f"/ws/workflows/{workflow.pk}/"

    async def story():
        socket = await opened(path, vera)
        own = Change(
            execution_id=ids.uuid7(),
            project_id=project.pk,
            workflow_id=workflow.pk,
            status="SUCCESS",
        )
        assert await live.send([replace(own, workflow_id=ids.uuid7()), own])
        told = await socket.receive()
        assert (told["execution_id"], told["count"]) == (str(own.execution_id), 1)
        await socket.leave()
        assert await opened(path, eve) is None
        assert await opened(f"/ws/workflows/{ids.uuid7()}/", vera) is None

    asyncio.run(story())


@pytest.mark.django_db(transaction=True)
def test_a_page_is_told_ten_times_a_second_at_most(people, monkeypatch):
    vera, _, project = people
    monkeypatch.setattr(live, "EVERY_S", 0.2)

    async def story():
        socket = await opened("/ws/home/", vera)
        some = [replace(change(), project_id=project.pk) for _ in range(30)]
        first = await tell_and_hear(socket, some[:1])
        for one in some[1:]:
            await live.send([one])
        rest = await socket.receive()
        assert (first["count"], rest["count"]) == (1, 29)
        assert rest["execution_id"] == str(some[-1].execution_id)
        assert await socket.hears_nothing()
        await socket.leave()

    asyncio.run(story())


async def tell_and_hear(socket, changes):
    await live.send(changes)
    return await socket.receive()
