"""The inputs of an effect that is tried again: those of the try before, secrets filled in anew.

All tries of an effect carry one idempotency key, so they must say the same, whatever ``now`` and
parallel steps came to meanwhile. Rows show secrets as a mask; what stood there is taken from the
settings as they come out now.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, time
from typing import Any, Final

from leadsend.lib.errors import PermanentError

# As leadsend.lib.redaction writes it, which the pure core does not know.
MASK: Final = "••••"
_SCALARS: Final = frozenset({str, int, float, bool, type(None)})


def plain(inputs: dict[str, Any]) -> dict[str, Any]:
    """Return inputs as their row will show them: moments become text. The same object if it can."""
    if all(map(_is_plain, inputs.values())):
        return inputs
    return {key: _as_json(value) for key, value in inputs.items()}


def same_inputs(
    sent: Mapping[str, Any], evaluate: Callable[[], Mapping[str, Any]], *, secrets: Iterable[Any]
) -> dict[str, Any]:
    """Return what was sent the last time, ``sent`` being how its row shows it.

    ``evaluate`` gives the settings as they come out now; it is called only where a mask has to be
    replaced. Raises PermanentError when a secret cannot be put back for certain.
    """
    known = [str(secret) for secret in secrets if secret]
    if not known or not _has_mask(sent):
        return dict(sent)
    restored: dict[str, Any] = _restored(dict(sent), evaluate(), known)
    return restored


def _restored(sent: Any, fresh: Any, secrets: list[str]) -> Any:
    if not _has_mask(sent):
        return sent
    if isinstance(sent, str) and isinstance(fresh, str):
        return _text(sent, fresh, secrets)
    if isinstance(sent, Mapping) and isinstance(fresh, Mapping) and sent.keys() == fresh.keys():
        return {key: _restored(value, fresh[key], secrets) for key, value in sent.items()}
    if isinstance(sent, list) and isinstance(fresh, list) and len(sent) == len(fresh):
        return [_restored(a, b, secrets) for a, b in zip(sent, fresh, strict=True)]
    raise _unsure()


def _text(sent: str, fresh: str, secrets: list[str]) -> str:
    parts = sent.split(MASK)
    if re.fullmatch(".+".join(map(re.escape, parts)), fresh, re.DOTALL):
        return fresh
    # Something beside the secrets changed: they go, in their order, into what was sent.
    pattern = "|".join(re.escape(one) for one in sorted(secrets, key=len, reverse=True))
    found = re.findall(pattern, fresh)
    if len(found) != len(parts) - 1:
        raise _unsure()
    return parts[0] + "".join(a + b for a, b in zip(found, parts[1:], strict=True))


def _has_mask(value: Any) -> bool:
    if isinstance(value, str):
        return MASK in value
    if isinstance(value, Mapping):
        return any(MASK in str(key) or _has_mask(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_has_mask, value))


def _unsure() -> PermanentError:
    return PermanentError(
        "The step cannot be tried again: its settings hold a secret variable and come out "
        "differently now, so the same could not be sent a second time.",
        code="inputs_changed",
    )


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind in _SCALARS:
        return True
    if kind is dict:
        return all(map(_is_plain, value.values()))
    return kind is list and all(map(_is_plain, value))


def _as_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    if isinstance(value, date | time):
        return value.isoformat()
    return value if type(value) in _SCALARS else str(value)
