"""The errors LeadSend raises, and the findings that validation returns.

Every error carries a stable ``code`` (for programs) and a message that says what to do next (for
people). The pure packages may import this module; it imports nothing but the standard library.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a problem weighs: an error refuses publishing, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One finding of validation, shown at a step.

    ``step_id`` is the step's slug or None for the whole document; ``path`` is a JSON pointer into
    the document (or into the request body), e.g. ``/steps/2/cfg/to``.
    """

    code: str
    message: str
    path: str = ""
    step_id: str | None = None
    severity: Severity = Severity.ERROR

    def as_json(self) -> dict[str, str | None]:
        """Return the shape of the error envelope: step_id, path, code, message, severity."""
        return {
            "step_id": self.step_id,
            "path": self.path,
            "code": self.code,
            "message": self.message,
            "severity": self.severity.value,
        }


class LeadSendError(Exception):
    """Something that failed, with a stable code and a sentence that says what to do."""

    code = "error"
    http_status = 400

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        problems: tuple[Problem, ...] | list[Problem] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.problems = tuple(problems)


class InvalidInput(LeadSendError):
    """The request or document can be read but not accepted as it is."""

    code = "invalid"
    http_status = 400


class UnreadableInput(InvalidInput):
    """The bytes cannot be read at all: not JSON, too deep, numbers out of range."""

    code = "unreadable"


class InputTooLarge(LeadSendError):
    """The body is larger than the limit that the message names."""

    code = "too_large"
    http_status = 413


class UnsupportedContentType(LeadSendError):
    """The content type is none of those that the message names."""

    code = "unsupported_content_type"
    http_status = 415


class SignatureRefused(LeadSendError):
    """The signature is missing, wrong, too old or already used."""

    code = "signature_refused"
    http_status = 401


class NotAllowed(LeadSendError):
    """The user sees the object but may not do this with it."""

    code = "not_allowed"
    http_status = 403


class NotFound(LeadSendError):
    """There is no such object, or the user may not know that there is."""

    code = "not_found"
    http_status = 404


class Conflict(LeadSendError):
    """Somebody else changed the object meanwhile, or its state forbids the act."""

    code = "conflict"
    http_status = 409


class TooManyRequests(LeadSendError):
    """A limit is reached; try again after ``retry_after_s`` seconds."""

    code = "too_many_requests"
    http_status = 429

    def __init__(self, message: str, *, retry_after_s: int = 1, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after_s = retry_after_s


class Unavailable(LeadSendError):
    """A part that is needed (database, object storage) is away; try again after a while."""

    code = "unavailable"
    http_status = 503

    def __init__(self, message: str, *, retry_after_s: int = 5, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after_s = retry_after_s


class ActionError(LeadSendError):
    """An action failed; its class says whether a new try can help."""

    code = "action_failed"


class RetryableError(ActionError):
    """A new try may help. ``retry_after_s`` is what the other side asked for, if it did.

    ``uncertain`` is True when the effect may have happened (a time-out after sending): actions of
    the class ``at_most_once`` then stop for a person instead of trying again.
    """

    code = "retryable"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        retry_after_s: float | None = None,
        uncertain: bool = False,
    ) -> None:
        super().__init__(message, code=code)
        self.retry_after_s = retry_after_s
        self.uncertain = uncertain


class PermanentError(ActionError):
    """The same try would fail again."""

    code = "permanent"


class ConfigurationError(ActionError):
    """The step or the installation is set up wrongly; a person has to change it."""

    code = "configuration"
