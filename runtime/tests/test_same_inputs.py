from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from leadsend.lib import redaction
from leadsend.lib.errors import PermanentError, RetryableError
from runtime.engine.advance import advance, answer
from runtime.engine.outcomes import settle
from runtime.engine.same_inputs import MASK, same_inputs
from runtime.engine.state import StepRecord
from runtime.engine.tests.driving import go, reply
from runtime.engine.tests.making import NOW, act, make_plan, make_state

LATER = RetryableError("Later.")


def restored(sent: dict[str, Any], fresh: dict[str, Any], *secrets: str) -> dict[str, Any]:
    return same_inputs(sent, lambda: fresh, secrets=secrets)


def test_the_mask_is_the_one_of_redaction():
    assert MASK == redaction.MASK


def test_a_second_try_sends_what_the_first_sent_whatever_the_time_is():
    plan, state = make_plan(act("s", "send", cfg={"at": "{{ now }}", "n": 1})), make_state()
    [first] = go(plan, state).calls
    reply(plan, state, first, error=LATER)

    [second] = go(plan, state, after_s=3600).calls

    assert second.inputs == first.inputs == {"at": NOW.isoformat(), "n": 1}
    assert (second.attempt, second.idempotency_key) == (2, first.idempotency_key)


def test_a_second_try_sends_what_the_first_sent_whatever_came_of_parallel_steps():
    cfg = {"from": '{{ default(steps.other.output.id, "nobody") }}'}
    steps = [act("s", "send", cfg=cfg), act("other", "send"), act("end")]
    plan, state = make_plan(*steps, edges=["s > end", "other > end"]), make_state()
    first, other = go(plan, state).calls
    reply(plan, state, first, error=LATER)
    reply(plan, state, other, output={"id": "ada"})

    [second] = go(plan, state, after_s=3600).calls

    assert second.inputs == first.inputs == {"from": "nobody"}


def test_secrets_are_put_back_where_a_row_shows_a_mask():
    cfg = {
        "auth": "Bearer {{ vars.key }}",
        "at": "{{ now }} {{ vars.key }}",
        "to": ["{{ vars.key }}"],
    }
    plan, state = make_plan(act("s", "send", cfg=cfg)), make_state(variables={"key": "s3cr3t"})
    [first] = go(plan, state).calls
    reply(plan, state, first, error=LATER)
    record = state.latest["s", None]
    with redaction.forgetting_secrets():
        redaction.register_secrets(["s3cr3t"])
        row = redaction.redact(record.input)
    assert row["auth"] == "Bearer ••••"
    state.latest["s", None] = StepRecord(
        **{name: getattr(record, name) for name in record.__slots__} | {"input": row}
    )

    [second] = go(plan, state, after_s=3600).calls

    assert second.inputs == first.inputs


def test_secrets_in_another_form_are_put_back_while_nothing_else_changed():
    assert restored({"a": "Basic ••••=="}, {"a": "Basic czNjcjN0=="}, "s3cr3t") == {
        "a": "Basic czNjcjN0=="
    }


def test_what_has_no_mask_is_not_worked_out_anew():
    def evaluate() -> dict[str, Any]:
        raise AssertionError("not asked for")

    assert same_inputs({"a": 1, "b": ["x"]}, evaluate, secrets=["s3cr3t"]) == {"a": 1, "b": ["x"]}


@pytest.mark.parametrize(
    ("sent", "fresh"),
    [
        ({"a": "•••• 1"}, {"a": "nothing 2"}),
        ({"a": ["••••"]}, {"a": ["s3cr3t", "s3cr3t"]}),
        ({"a": "••••"}, {"a": 7}),
        ({"a": "••••", "b": 1}, {"a": "s3cr3t"}),
    ],
)
def test_where_a_secret_cannot_be_put_back_for_certain_nothing_is_sent(sent, fresh):
    with pytest.raises(PermanentError) as caught:
        restored(sent, fresh, "s3cr3t")

    assert caught.value.code == "inputs_changed"


def test_after_run_again_the_budget_of_tries_starts_anew():
    plan, state = make_plan(act("s", "fire")), make_state()
    now, tries = NOW, 0
    lost = RetryableError("Lost.", uncertain=True)

    def fail(error: RetryableError) -> StepRecord:
        nonlocal now, tries
        [call] = advance(plan, state, now=now, clock=lambda: now).calls
        tries += 1
        times: dict[str, Any] = {
            "started_at": now,
            "ended_at": now,
            "now": now,
            "random": lambda: 1.0,
        }
        record = answer(plan, state, call, error=error, **times)
        state.fold([record])
        now += timedelta(hours=1)
        return record

    assert fail(LATER).due_at is not None
    assert fail(lost).status == "UNCERTAIN"
    state.fold([settle(plan, state, ("s", None), "run_again", now=now)])
    again = [fail(LATER) for _ in range(3)]

    assert [record.due_at is None for record in again] == [False, False, True]
    assert tries == 5
