"""Lifts documents of older formats to the present one, a step per format.

Published versions stay readable for ever: a change of the format adds a function here, and none
is ever removed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from leadsend.lib.errors import InvalidInput, Problem
from workflows.definition import canonical, defaults

Upgrade = Callable[[dict[str, Any]], dict[str, Any]]

# Format n -> the function that turns such a document into one of format n + 1.
UPGRADES: Mapping[int, Upgrade] = {}


def read(data: bytes | str) -> dict[str, Any]:
    """Read a stored document of any format and return it in the present one, in full form.

    Raises UnreadableInput or InvalidInput.
    """
    return upgrade(canonical.load(data))


def upgrade(
    document: Mapping[str, Any],
    *,
    chain: Mapping[int, Upgrade] = UPGRADES,
    target: int = defaults.FORMAT,
) -> dict[str, Any]:
    """Return the document in the present format and in full form.

    A document without ``format`` counts as present. Raises InvalidInput when the format is no
    whole number, newer than this installation, or so old that nothing leads up from it.
    """
    result = deepcopy(dict(document))
    number = result.setdefault("format", target)
    if isinstance(number, bool) or not isinstance(number, int):
        raise _refusal(f"The format is a whole number; this installation writes {target}.")
    if number > target:
        raise _refusal(
            f"The document has format {number}, this installation reads up to {target}: "
            "update LeadSend, or export the document from an older version."
        )
    for step in range(number, target):
        if step not in chain:
            raise _refusal(f"Nothing can read format {step}; this installation writes {target}.")
        result = chain[step](result) | {"format": step + 1}
    return defaults.fill(result)


def _refusal(message: str) -> InvalidInput:
    return InvalidInput(message, problems=[Problem(code="format", message=message, path="/format")])
