"""The guard as this installation is set up: from LEADSEND_EGRESS_ALLOW and LEADSEND_EGRESS_PORTS."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from leadsend.lib.egress.addresses import Address, parse_address
from leadsend.lib.egress.policy import Policy, make_policy
from leadsend.lib.egress.resolving import check_answers, look_up_blocking
from leadsend.lib.egress.urls import check_host_name
from leadsend.lib.errors import RetryableError


def egress_policy() -> Policy:
    """Return the policy of the settings. Raises ConfigurationError for an unreadable entry."""
    return _policy(tuple(settings.EGRESS_ALLOW), tuple(settings.EGRESS_PORTS))


def check_host(host: str, port: int, *, policy: Policy | None = None) -> list[Address]:
    """Return the checked addresses of a host (mail, SQL, storage); connect to one of these.

    Blocks for the look-up. Raises PermanentError (``egress_refused``) or RetryableError when the
    host is not found.
    """
    name = check_host_name(host)
    try:
        answers = [name] if parse_address(name) else look_up_blocking(name, port)
    except (OSError, UnicodeError) as error:
        raise RetryableError(f"{name} cannot be found.", code="unreachable") from error
    return check_answers(policy or egress_policy(), name, port, answers)


@cache
def _policy(allow: tuple[str, ...], ports: tuple[int, ...]) -> Policy:
    return make_policy(allow, ports)
