"""Rows that the tests of triggers need."""

from __future__ import annotations

import asyncio
import json

from leadsend.access.models import Project
from leadsend.lib import ids
from triggers.group_commit import connect
from workflows.models import Workflow


def make_project(slug="sales"):
    return Project.objects.create(name=slug, slug=f"{slug}-{ids.uuid7()}")


def make_workflow(project=None, **settings):
    """Make a workflow that was never published; ``settings`` are those of its document."""
    draft = json.dumps({"format": 1, "name": "Pipeline", "settings": settings})
    return Workflow.objects.create(
        project=project or make_project(), name="Pipeline", slug=str(ids.uuid7()), draft=draft
    )


def on_connections(*calls):
    """Run each ``async call(connection)`` at the same time on a connection of its own."""
    return asyncio.run(_run(calls))


async def _run(calls):
    return await asyncio.gather(*(_one(call) for call in calls))


async def _one(call):
    async with await connect() as connection:
        return await call(connection)
