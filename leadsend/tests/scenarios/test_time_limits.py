"""A run's time limit holds, whether the process that works on it hangs or is killed."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leadsend.testing.stack import Member, Stack, kill_process, running_stack, until
from leadsend.trust.crash import demo_values

pytestmark = pytest.mark.scenario

LIMIT_S = 4
UNFINISHED = "SELECT status FROM workflow_execution WHERE id = %s AND ended_at IS NULL"


@pytest.fixture(scope="module")
def silent() -> Iterator[str]:
    """An address that takes calls and never answers them."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, silent: str
) -> Iterator[tuple[Stack, str, str]]:
    """A stack without workers, a token, and a workflow whose call is never answered."""
    directory: Path = tmp_path_factory.mktemp("limits")
    with running_stack(directory, settings={"LEADSEND_EGRESS_ALLOW": silent}) as stack:
        token = demo_values(stack)["API_TOKEN"]
        stack.start("web")
        yield stack, token, publish(stack, token, silent)


def hang(member: Member) -> Callable[[], None]:
    """Stop a worker and its engines; return what lets them go on."""
    pids = [member.pid, *member.children()]
    send(pids, signal.SIGSTOP)
    return lambda: send(pids, signal.SIGCONT)


def send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, number)


def kill(member: Member) -> Callable[[], None]:
    """Kill a worker and its engines; nothing brings them back."""
    family = member.children()
    member.kill()
    for pid in family:
        kill_process(pid)
    return lambda: None


@pytest.mark.parametrize("strike", [hang, kill])
def test_a_late_run_is_ended_by_another_process(
    world: tuple[Stack, str, str], strike: Callable[[Member], Callable[[], None]]
) -> None:
    stack, token, workflow = world
    stack.start("worker1")
    run = start(stack, token, workflow)
    let_go_on = strike(stack.members["worker1"])
    stack.start("worker2")

    until(lambda: not stack.sql(UNFINISHED, run), "the other one ended the run")
    ended = ended_as(stack, run)
    [(woken_at,)] = stack.sql("SELECT now()")
    let_go_on()
    # One that wakes up hears at its next heartbeat that the run is not its own.
    until(
        lambda: has_ended(stack, "worker1") or is_at_work(stack, "worker1", woken_at), "it woke up"
    )
    for name in ("worker1", "worker2"):
        stack.members[name].stop()

    assert ended[0] == "TIMED_OUT"
    assert ended_as(stack, run) == ended


def publish(stack: Stack, token: str, silent: str) -> str:
    call = {"method": "POST", "url": f"http://{silent}/", "timeout_s": 60, "body": {}}
    document = {
        "name": "Late",
        "triggers": ["manual"],
        "steps": [{"id": "call", "kind": "action", "action_key": "http_request", "cfg": call}],
        "settings": {"timeout_s": LIMIT_S},
        "publish": True,
    }
    answer = stack.request("POST", "/api/v1/workflows/", document, token=token)
    assert answer.status == 201, answer
    return str(answer.body["id"])


def start(stack: Stack, token: str, workflow: str) -> str:
    """Start a run; return its id once its only call is under way."""
    path = f"/api/v1/workflows/{workflow}/run/"
    begun = stack.request("POST", path, {"event": {}}, token=token)
    assert begun.status in (200, 202), begun
    under_way = (
        "SELECT id FROM workflow_execution WHERE status = 'RUNNING' AND pending::text <> '[]'"
    )
    [(run,)] = until(lambda: stack.sql(under_way), "the call is under way")
    return str(run)


def ended_as(stack: Stack, run: str) -> tuple[object, ...]:
    [row] = stack.sql("SELECT status, fence, ended_at FROM workflow_execution WHERE id = %s", run)
    return row


def has_ended(stack: Stack, worker: str) -> bool:
    return not stack.members[worker].is_running


def is_at_work(stack: Stack, worker: str, since: object) -> bool:
    """Say whether an engine of a worker has given a sign of life since a moment."""
    seen = stack.sql("SELECT pid FROM worker WHERE seen_at > %s", since)
    return bool({pid for (pid,) in seen} & set(stack.members[worker].children()))
