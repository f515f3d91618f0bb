from __future__ import annotations

from datetime import timedelta

import pytest

from leadsend.access.models import Project
from leadsend.lib import clock, ids
from runtime import executions, recovery
from runtime.engine.tests.making import act
from runtime.failure_handlers import HANDLER
from runtime.models import Execution
from runtime.tests.driving import NEVER, World, drain, fresh, publish, raising, start
from workflows.models import Workflow

pytestmark = pytest.mark.django_db

FAILS = act("s", "send")


def make_handler(*steps, name="Handler", **document):
    """Publish a workflow that is live, as only such a one is started."""
    workflow = publish(
        *(steps or (act("told", cfg={"why": "{{ event.error.message }}"}),)), name=name, **document
    )
    workflow.slug = name.lower()
    return live(workflow)


def live(workflow: Workflow) -> Workflow:
    workflow.live_version = workflow.versions.get()
    workflow.save()
    return workflow


def failing() -> World:
    world = World()
    world.answers["send"] = raising(NEVER, NEVER, NEVER)
    return world


def runs_of(workflow: Workflow) -> list[Execution]:
    return list(Execution.objects.filter(workflow=workflow))


def test_the_handler_that_a_workflow_names_is_told_of_its_failure():
    handler = make_handler()
    workflow = publish(FAILS, name="Pipeline", settings={"on_failure": "handler"})
    execution = start(workflow, {"email": "ada@example.org"}, business_key="ada")

    drain(failing())

    [run] = runs_of(handler)
    assert run.pk == ids.execution_id(execution.pk, HANDLER)
    assert (run.status, run.trigger_type, run.business_key) == ("SUCCESS", "failure", "ada")
    assert run.context_data["error"] == {"code": "permanent", "message": "Never.", "step_id": "s"}
    assert run.context_data["event"] == {"email": "ada@example.org"}
    told = run.context_data["execution"]
    assert (told["id"], told["status"]) == (str(execution.pk), "FAILED")
    assert told["url"].endswith(f"/runs/{execution.pk}/")
    assert told["workflow"]["name"] == "Pipeline"


def test_a_handler_may_be_named_by_its_id():
    handler = make_handler()
    start(publish(FAILS, settings={"on_failure": str(handler.pk)}))

    drain(failing())

    assert len(runs_of(handler)) == 1


def test_the_projects_handler_is_told_where_a_workflow_names_none():
    handler, own = make_handler(), make_handler(name="Own")
    Project.objects.update(failure_workflow=handler)
    start(publish(FAILS))
    start(publish(FAILS, settings={"on_failure": "own"}))

    drain(failing())

    assert (len(runs_of(handler)), len(runs_of(own))) == (1, 1)


def test_a_handler_that_is_not_live_is_passed_over_for_the_projects():
    handler, own = make_handler(), make_handler(name="Own")
    Project.objects.update(failure_workflow=handler)
    Workflow.objects.filter(pk=own.pk).update(is_active=False)
    start(publish(FAILS, settings={"on_failure": "own"}))

    drain(failing())

    assert (len(runs_of(handler)), len(runs_of(own))) == (1, 0)


def test_another_projects_workflow_is_no_handler():
    handler = make_handler()
    other = Project.objects.create(name="Other", slug="other")
    Workflow.objects.filter(pk=handler.pk).update(project=other)
    start(publish(FAILS, settings={"on_failure": "handler"}))

    drain(failing())

    assert runs_of(handler) == []


def test_a_handler_that_fails_starts_no_handler():
    handler = make_handler(act("s", "send"), settings={"on_failure": "handler"})
    Project.objects.update(failure_workflow=handler)
    start(handler)

    drain(failing())

    runs = Execution.objects.filter(status="FAILED").order_by("created_at")
    assert [run.trigger_type for run in runs] == ["manual", "failure"]


def test_what_a_handler_called_starts_no_handler_either():
    handler = make_handler()
    Project.objects.update(failure_workflow=handler)
    above = start(handler, status="WAITING", trigger_type="failure")
    middle = start(publish(act("a")), status="WAITING", parent_execution=above.pk, depth=1)
    start(publish(FAILS), trigger_type="workflow", parent_execution=middle.pk, depth=2)

    drain(failing())

    assert runs_of(handler) == [above]


@pytest.mark.parametrize(("status", "count"), [("SUCCESS", 0), ("CANCELLED", 0)])
def test_only_failures_have_a_handler(status, count):
    handler = make_handler()
    execution = start(publish(FAILS, settings={"on_failure": "handler"}))
    if status == "CANCELLED":
        executions.cancel(execution, user=None)

    drain()

    assert fresh(execution).status == status
    assert len(runs_of(handler)) == count


def test_a_run_that_the_reaper_ends_has_its_handler_once(outside):
    handler = make_handler()
    now = clock.now()
    lost = {"status": "RUNNING", "lease_until": now - timedelta(minutes=1), "started_at": now}
    poison = start(publish(FAILS, settings={"on_failure": "handler"}), crash_count=2, **lost)
    late = start(
        publish(FAILS, settings={"on_failure": "handler"}),
        deadline_at=now - timedelta(seconds=1),
        **lost,
    )

    recovery.reap()
    recovery.reap()

    told = {run.context_data["execution"]["id"]: run for run in runs_of(handler)}
    assert told[str(poison.pk)].context_data["error"]["code"] == "poison"
    assert told[str(late.pk)].context_data["execution"]["status"] == "TIMED_OUT"
    assert len(told) == len(runs_of(handler)) == 2


def test_a_workflow_that_cannot_be_compiled_has_its_handler():
    handler = make_handler()
    start(publish(act("s", "unheard_of"), settings={"on_failure": "handler"}))

    drain()

    [run] = runs_of(handler)
    assert run.context_data["error"]["code"] == "action_unknown"


def test_a_retry_that_succeeds_tells_nobody(django_user_model):
    handler = make_handler()
    execution = start(publish(FAILS, settings={"on_failure": "handler"}))
    drain(failing())
    executions.retry(fresh(execution), user=django_user_model.objects.create_user("a@b.example"))

    drain()

    assert Execution.objects.filter(workflow=execution.workflow, status="SUCCESS").count() == 1
    assert len(runs_of(handler)) == 1
