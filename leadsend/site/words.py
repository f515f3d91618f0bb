"""How states, moments and lengths of time read on pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from leadsend.lib import clock


@dataclass(frozen=True, slots=True)
class Badge:
    """A state as it is shown: always an icon and a word, never colour alone."""

    word: str | Promise
    icon: str
    tone: str


STATES = {
    "PENDING": Badge(_("About to start"), "clock", "muted"),
    "RUNNING": Badge(_("Running"), "loader", "accent"),
    "WAITING": Badge(_("Waiting"), "hourglass", "wait"),
    "PAUSED": Badge(_("Paused"), "pause", "warn"),
    "UNCERTAIN": Badge(_("Needs a decision"), "triangle-alert", "warn"),
    "SUCCESS": Badge(_("Done"), "circle-check", "ok"),
    "FAILED": Badge(_("Failed"), "circle-x", "bad"),
    "CANCELLED": Badge(_("Cancelled"), "ban", "muted"),
    "SKIPPED": Badge(_("Skipped"), "circle-slash", "muted"),
    "TIMED_OUT": Badge(_("Took too long"), "timer", "bad"),
    "DONE": Badge(_("Done"), "circle-check", "ok"),
    "OPEN": Badge(_("Open"), "circle-dot", "accent"),
    "live": Badge(_("Live"), "circle-check", "ok"),
    "draft": Badge(_("Draft only"), "pencil-line", "muted"),
    "paused": Badge(_("Paused"), "pause", "warn"),
    "kept": Badge(_("Kept here"), "inbox", "muted"),
    "sent": Badge(_("Sent"), "send", "ok"),
    "high": Badge(_("High priority"), "circle-alert", "bad"),
    "low": Badge(_("Low priority"), "chevron-down", "muted"),
}
UNKNOWN = Badge(_("Unknown"), "circle-question-mark", "muted")


def moment(value: datetime) -> str:
    """Return a moment in the current zone: "today 09:12", or the date and time."""
    local = timezone.localtime(value)
    at = formats.time_format(local, "H:i")
    days = (local.date() - timezone.localtime(clock.now()).date()).days
    near = {0: gettext("today"), -1: gettext("yesterday"), 1: gettext("tomorrow")}
    if days in near:
        return f"{near[days]} {at}"
    return f"{formats.date_format(local, 'j M Y')}, {at}"


def moment_in_full(value: datetime) -> str:
    """Return a moment with seconds and the zone it is told in."""
    local = timezone.localtime(value)
    return f"{formats.date_format(local, 'j F Y, H:i:s')} {local.tzname()}"


def length(milliseconds: int) -> str:
    """Return a length of time in its two largest units: "340 ms", "1.2 s", "2 min 5 s"."""
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f} s"
    span = timedelta(milliseconds=milliseconds)
    minutes, seconds = divmod(span.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if span.days:
        days = ngettext("%(count)d day", "%(count)d days", span.days) % {"count": span.days}
        return f"{days} {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
