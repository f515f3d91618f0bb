"""Engines that die at a chosen place: ``python -m leadsend.trust.doomed_engine``.

Reads orders, a JSON object a line: ``{"boundary": name or null, "worker": uuid, "free": uuid or
null}``. Each is done by a fork of this process: it frees what the engine ``free`` held, then works
until nothing is left, and kills itself at the boundary, if it comes there. The answer is one line:
``{"signal": 9}`` when it died, ``{"signal": 0}`` when it found nothing left to do.

Only this process is changed; the product knows nothing of boundaries.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Final, NoReturn
from uuid import UUID

from leadsend import engine_process
from leadsend.lib.postgres import Connection
from runtime import claiming, committing, draining, effects, recording, recovery
from runtime.batches import Taken
from runtime.draining import Engine, Options, run_until_idle
from runtime.engine.transitions import EXECUTION_FINAL
from runtime.starts import Terms
from triggers import dispatch
from triggers.dispatch import dispatch_batch, take

LEASE_S: Final = 30.0
# In the order in which an execution passes them.
BOUNDARIES: Final = (
    "inside_take",
    "after_take",
    "after_dispatch",
    "inside_claim",
    "after_claim",
    "inside_intent",
    "after_intent",
    "before_effect",
    "after_effect",
    "after_answer",
    "inside_record",
    "after_record",
)


def main() -> None:
    """Do one order after the other, until there are no more."""
    engine_process.warm_up()
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _work(order)
        _, status = os.waitpid(child, 0)
        code = os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status)
        print(json.dumps({"signal": code}), flush=True)


def _work(order: dict[str, Any]) -> NoReturn:
    """Be an engine; never returns into the loop of the parent."""
    try:
        if order["free"]:
            recovery.release_worker(UUID(order["free"]))
        if order["boundary"]:
            PLACES[order["boundary"]]()
        engine = Engine(_options(order["boundary"]), worker_id=UUID(order["worker"]))
        engine.leases.start()
        run_until_idle(engine)
        engine.close()
    except BaseException:  # noqa: BLE001 - whatever it was, the fork must not go on as the parent
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


def _options(boundary: str | None) -> Options:
    """Let executions begin in memory, but where what dies is on the way through the queue."""
    if boundary in ("after_dispatch", "inside_claim", "after_claim"):
        return Options(lease_s=LEASE_S, before_pass=[_dispatch])
    return Options(lease_s=LEASE_S, take=_take)


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("killed")


def _dispatch(connection: Connection) -> int:
    return dispatch_batch(connection)


def _take(connection: Connection, terms: Terms) -> Taken:
    return take(connection, terms)


def _inside_take() -> None:
    vars(dispatch)["leave_trace"] = lambda *given: _die()


def _after_take() -> None:
    real = take

    def taking(connection: Connection, terms: Terms) -> Taken:
        taken = real(connection, terms)
        if taken.batch is not None:
            _die()
        return taken

    globals()["take"] = taking


def _after_dispatch() -> None:
    real = dispatch_batch

    def dispatching(connection: Connection) -> int:
        if moved := real(connection):
            _die()
        return moved

    globals()["dispatch_batch"] = dispatching


def _inside_claim() -> None:
    # It makes objects of the rows that the claim returned, before the claim is committed.
    claiming._claimed = lambda row: _die()


def _after_claim() -> None:
    real = claiming.claim

    def claim(*given: Any, **named: Any) -> Any:
        found = real(*given, **named)
        if found:
            _die()
        return found

    claiming.claim = claim


def _inside(is_it: Callable[[str], bool]) -> Callable[[], None]:
    def install() -> None:
        real = recording.record

        def record(*given: Any, **named: Any) -> Any:
            said = real(*given, **named)
            if any(is_it(one.status) for one in said):
                _die()
            return said

        recording.record = record

    return install


def _after(is_it: Callable[[str], bool]) -> Callable[[], None]:
    def install() -> None:
        real = committing.commit

        def commit(*given: Any, **named: Any) -> Any:
            said = real(*given, **named)
            if any(is_it(one.status) for one in said):
                _die()
            return said

        vars(draining)["commit"] = commit

    return install


def _around_effect(*, before: bool) -> Callable[[], None]:
    def install() -> None:
        real = effects._action

        def action(run: Any, call: Any) -> Any:
            act = real(run, call)

            async def doomed(context: Any, inputs: Any) -> Any:
                if before:
                    _die()
                await act(context, inputs)
                _die()

            return doomed

        effects._action = action

    return install


def _after_answer() -> None:
    real = Engine._take

    def take(self: Engine, answer: Any) -> None:
        real(self, answer)
        _die()

    Engine._take = take  # type: ignore[method-assign] # what this module is for


def _is_intent(status: str) -> bool:
    return status == "RUNNING"


def _is_end(status: str) -> bool:
    return status in EXECUTION_FINAL


PLACES: Final[dict[str, Callable[[], None]]] = {
    "inside_take": _inside_take,
    "after_take": _after_take,
    "after_dispatch": _after_dispatch,
    "inside_claim": _inside_claim,
    "after_claim": _after_claim,
    "inside_intent": _inside(_is_intent),
    "after_intent": _after(_is_intent),
    "before_effect": _around_effect(before=True),
    "after_effect": _around_effect(before=False),
    "after_answer": _after_answer,
    "inside_record": _inside(_is_end),
    "after_record": _after(_is_end),
}

if __name__ == "__main__":
    main()
