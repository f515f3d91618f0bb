"""``manage.py schedule_ticks``: shows when a calendar rule fires."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError, CommandParser

from leadsend.lib.errors import InvalidInput
from triggers import cron, timetable


class Command(BaseCommand):
    """Prints the instants of a rule, one a line."""

    help = "Prints the UTC instants of a cron rule, from --from on and before --to, one a line."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the rule, its zone and the span."""
        parser.add_argument("--cron", required=True, help="such as '0 9 * * mon-fri'")
        parser.add_argument("--tz", default="UTC", help="such as Europe/Berlin (UTC)")
        moment = "an ISO time; without an offset it is read in --tz"
        parser.add_argument("--from", required=True, dest="start", metavar="ISO", help=moment)
        parser.add_argument("--to", required=True, dest="end", metavar="ISO", help=moment)

    def handle(self, *args: Any, **options: Any) -> None:
        """Print, or say what cannot be read."""
        try:
            rule, zone = timetable.parse(options["cron"]), cron.zone_of(options["tz"])
        except InvalidInput as error:
            raise CommandError(error.message) from error
        start, end = _moment(options["start"], zone), _moment(options["end"], zone)
        for tick in timetable.ticks_between(rule, zone, start, end):
            self.stdout.write(tick.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _moment(text: str, zone: ZoneInfo) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"“{text}” is no ISO time, such as 2026-03-29T00:00:00Z.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)
