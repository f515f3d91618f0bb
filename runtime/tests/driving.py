"""Workflows of toy actions, and engines that run them on the test's own connection."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from leadsend.access.models import Project
from leadsend.lib import clock, ids
from leadsend.lib.errors import PermanentError, RetryableError
from leadsend.testing.engine import engine as shared_engine
from registry.sdk.action import Delivery, RetryPolicy
from runtime.draining import Engine, run_until_idle
from runtime.engine.tests.making import ACTIONS
from runtime.models import Execution, StepExecution
from workflows.definition.canonical import content_hash, dump
from workflows.definition.shorthand import expand
from workflows.models import Workflow, WorkflowVersion


class World:
    """What the toy effects do. ``calls`` holds ``(action, inputs, context)`` in order.

    ``answers`` maps an action key to a function of context and inputs, which may raise.
    """

    def __init__(self):
        self.calls = []
        self.answers = {}

    def action(self, key):
        known = ACTIONS.get(key)
        if known is None or known.pure or known.delivery is Delivery.TRANSACTIONAL:
            return known
        return replace(known, run=self._run(key), retry=RetryPolicy(attempts=3, base_s=0.0))

    def trigger_type(self, key):
        return None

    def action_keys(self):
        return ACTIONS

    def trigger_keys(self):
        return ()

    def _run(self, key):
        async def run(ctx, inputs):
            self.calls.append((key, inputs, ctx))
            reply = self.answers.get(key)
            if reply is None:
                return {"done": True}
            answer = reply(ctx, inputs)
            return await answer if asyncio.iscoroutine(answer) else answer

        return run


def project():
    return Project.objects.get_or_create(slug="sales", defaults={"name": "Sales"})[0]


def publish(*steps, edges=(), name="Test", **document):
    """Make a workflow with one version, past the checks of publishing: toys are not in the catalogue."""
    workflow = Workflow.objects.create(
        project=project(), name=name, slug=str(ids.uuid7()), draft="{}"
    )
    add_version(workflow, *steps, edges=edges, **document)
    return workflow


def add_version(workflow, *steps, edges=(), **document):
    """Give a workflow its next version; it is the live one only when it is made so."""
    full = expand({"name": workflow.name, "steps": list(steps), **document})
    full["edges"] = list(edges) or _chain(full["steps"])
    return WorkflowVersion.objects.create(
        workflow=workflow,
        project=workflow.project,
        version_num=workflow.versions.count() + 1,
        s3_key="",
        document=dump(full).decode(),
        content_hash=content_hash(full),
    )


def _chain(steps):
    levels = dict.fromkeys(step.get("parent") for step in steps)
    chains = [[s["id"] for s in steps if s.get("parent") == level] for level in levels]
    pairs = [pair for chain in chains for pair in itertools.pairwise(chain)]
    return [{"from": a, "to": b, "branch_key": "default"} for a, b in pairs]


def start(workflow, event=None, *, at=None, **fields):
    """Insert a PENDING execution, as dispatch does."""
    return Execution.objects.create(
        id=ids.uuid7(),
        project=workflow.project,
        workflow=workflow,
        version=workflow.versions.get(),
        context_data=event or {"email": "ada@example.org", "name": "Ada", "score": 60},
        run_after=at or clock.now(),
        **fields,
    )


@contextmanager
def engine(world: Any = None, **options: Any) -> Iterator[Engine]:
    with shared_engine(catalog=world or World(), **options) as found:
        yield found


def drain(world=None):
    with engine(world) as found:
        return run_until_idle(found)


def steps_of(execution):
    """Return ``{step: [statuses by attempt]}`` from the rows."""
    found: dict[str, list[str]] = {}
    rows = StepExecution.objects.of_execution(execution.pk).order_by("step_id", "attempt")
    for row in rows:
        found.setdefault(row.step_id, []).append(row.status)
    return found


def fresh(execution):
    return Execution.objects.get(pk=execution.pk)


def raising(*errors):
    """Return an answer that raises these, one a call, and then succeeds."""
    left = list(errors)

    def reply(ctx, inputs):
        if left:
            raise left.pop(0)
        return {"done": True}

    return reply


LATER = RetryableError("Later.")
NEVER = PermanentError("Never.")
