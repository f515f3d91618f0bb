"""Actions that only trust runs use: one of each way an effect can be promised, and one that dies.

They are announced to the stack as those of an installed package are (``announcing``); nothing of
the product knows them.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from typing import Any

from leadsend.lib.errors import PermanentError, RetryableError
from registry.sdk.action import Action, ActionContext, Delivery

TIMEOUT_S = 5.0
_CALL: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "url": {
            "type": "string",
            "title": "Web address",
            "description": "Where the sink listens.",
            "x-ui": "text",
        },
        "lead": {"title": "Lead", "description": "Whom it is about.", "x-ui": "any"},
    },
    "required": ["url", "lead"],
    "additionalProperties": False,
}
_OUTPUT: Mapping[str, Any] = {
    "type": "object",
    "properties": {"status": {"type": "integer"}},
    "required": ["status"],
}
_SAMPLE = {"status": 200}


async def _call(ctx: ActionContext, inputs: Mapping[str, Any]) -> dict[str, Any]:
    response = await ctx.http.request(
        "POST",
        str(inputs["url"]),
        headers={
            "Content-Type": "application/json",
            "Idempotency-Key": str(ctx.idempotency_key),
            "X-Lead": str(inputs["lead"]),
        },
        body=json.dumps({"lead": inputs["lead"]}).encode(),
        timeout_s=TIMEOUT_S,
    )
    if response.status in (429, 503):
        after = {name.lower(): value for name, value in response.headers.items()}.get("retry-after")
        raise RetryableError("Not now.", retry_after_s=float(after) if after else None)
    if response.status >= 400:
        raise PermanentError(f"Answered {response.status}.")
    return {"status": response.status}


async def _die(_ctx: ActionContext, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """End the process as the system does when memory is used up."""
    if inputs["die"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return _SAMPLE


def _calling(key: str, delivery: Delivery) -> Action:
    return Action(
        key=key,
        version=1,
        title="Call the sink",
        sentence="Calls {url}",
        description="Calls the counting sink of a trust run.",
        category="data",
        icon="globe",
        config_schema=_CALL,
        output_schema=_OUTPUT,
        example={"url": "http://127.0.0.1/", "lead": "lead-1"},
        sample_output=_SAMPLE,
        delivery=delivery,
        run=_call,
        pretend=lambda _: _SAMPLE,
    )


EXIT = Action(
    key="trust_exit",
    version=1,
    title="Die",
    sentence="Dies: {die}",
    description="Ends the process that runs it, as a lack of memory would.",
    category="data",
    icon="skull",
    config_schema={
        "type": "object",
        "properties": {"die": {"title": "Die", "description": "Whether it dies.", "x-ui": "any"}},
        "required": ["die"],
        "additionalProperties": False,
    },
    output_schema=_OUTPUT,
    example={"die": False},
    sample_output=_SAMPLE,
    delivery=Delivery.AT_LEAST_ONCE,
    run=_die,
    pretend=lambda _: _SAMPLE,
)

ACTIONS = (
    _calling("trust_once", Delivery.AT_MOST_ONCE),
    _calling("trust_again", Delivery.AT_LEAST_ONCE),
    _calling("trust_same", Delivery.NATURAL_IDEMPOTENT),
    EXIT,
)
