"""``manage.py check``: refuses contracts that break the rules of the SDK, ours and announced ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error

from leadsend.lib.errors import ConfigurationError
from registry.catalog import catalog
from registry.sdk.checks import action_problems, credential_type_problems, trigger_problems


def check_contracts(**_: Any) -> list[CheckMessage]:
    """Return an error for everything that is wrong with an action, trigger or credential type."""
    try:
        return list(_findings())
    except ConfigurationError as error:
        return [Error(error.message, id="registry.E002")]


def _findings() -> Iterator[Error]:
    known = catalog()
    found = {
        **{f"action {key}": action_problems(item) for key, item in known.actions.items()},
        **{f"trigger {key}": trigger_problems(item) for key, item in known.trigger_types.items()},
        **{
            f"credential type {key}": credential_type_problems(item)
            for key, item in known.credential_types.items()
        },
    }
    for name, problems in found.items():
        for problem in problems:
            yield Error(f"{name}: {problem}", id="registry.E001")
