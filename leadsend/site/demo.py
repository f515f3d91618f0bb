"""Demo data: an organisation with people, leads, a live workflow, and what became of two leads.

Everything is made by the use cases that users have, and looked for before it is made, so running
it again changes nothing. What a person needs to sign in is kept in ``demo.json`` of the state
folder (readable by its owner only), because passwords and tokens cannot be read back.
"""

from __future__ import annotations

import json
import secrets
from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from leadsend.access import people, tokens
from leadsend.access.models import ApiToken, BusinessCalendar, Membership, Project, Role, Team, User
from leadsend.lib import clock
from leadsend.site.engine_pass import play_to_the_end
from runtime.models import Execution
from triggers import db_changes, inbox
from triggers.events import NewEvent
from triggers.models import WebhookEndpoint
from workflows import drafts, publishing
from workflows.models import Workflow

OWNER = "owner@demo.example"
PEOPLE = {
    "ops@demo.example": ("Olga Ops", Role.OPERATOR),
    "builder@demo.example": ("Ben Builder", Role.PUBLISHER),
    "viewer@demo.example": ("Vera Viewer", Role.VIEWER),
}
WELCOME: dict[str, Any] = {
    "name": "Welcome new leads",
    "description": "Welcomes hot leads and reminds the others after a day.",
    "category": "sales",
    "settings": {"business_key": "{{ event.email }}"},
    "variables": [{"key": "hot_score", "type": "number", "value": 50}],
    "triggers": [{"id": "new_lead", "trigger_key": "webhook", "cfg": {"name": "Website form"}}],
    "steps": [
        {
            "id": "hot",
            "kind": "condition",
            "title": "Is the lead hot?",
            "cfg": {
                "all": [{"left": "{{ event.score }}", "op": "gt", "right": "{{ vars.hot_score }}"}]
            },
        },
        {
            "id": "welcome",
            "kind": "action",
            "action_key": "email_send",
            "title": "Welcome the lead",
            "cfg": {"to": "{{ event.email }}", "template": "welcome"},
        },
        {
            "id": "call",
            "kind": "action",
            "action_key": "task_create",
            "title": "Ask sales to call",
            "cfg": {"assignee": "sales_team", "title": "Call {{ event.name }}"},
        },
        {
            "id": "wait",
            "kind": "delay",
            "title": "Wait a day",
            "cfg": {"for": {"value": 1, "unit": "days"}},
        },
        {
            "id": "remind",
            "kind": "action",
            "action_key": "email_send",
            "title": "Remind the lead",
            "cfg": {"to": "{{ event.email }}", "template": "reminder"},
        },
    ],
    "edges": [
        {"from": "hot", "to": "welcome", "branch_key": "yes"},
        {"from": "welcome", "to": "call"},
        {"from": "hot", "to": "wait", "branch_key": "no"},
        {"from": "wait", "to": "remind"},
    ],
}
# Its address is inside the own network, which the egress guard refuses: the run fails for a reason
# that its page explains.
FAILING: dict[str, Any] = {
    "name": "Tell the old CRM",
    "description": "Shows what a failed run looks like: its address is not reachable from here.",
    "category": "sales",
    "settings": {"business_key": "{{ event.email }}"},
    "triggers": [{"id": "lead", "trigger_key": "webhook", "cfg": {"name": "CRM copy"}}],
    "steps": [
        {
            "id": "tell",
            "kind": "action",
            "action_key": "http_request",
            "title": "Send the lead to the CRM",
            "cfg": {
                "method": "POST",
                "url": "http://10.0.0.1/leads",
                "body_kind": "json",
                "body": {"email": "{{ event.email }}"},
            },
        }
    ],
}
LEADS = (
    ("Ada Byron", "ada@example.com", "Analytical Engines", 80),
    ("Grace Hopper", "grace@example.com", "Compilers Ltd", 65),
    ("Alan Turing", "alan@example.com", "Bletchley Works", 20),
    ("Hedy Lamarr", "hedy@example.com", "Frequency Hop", 45),
    ("Katherine Johnson", "katherine@example.com", "Orbit Partners", 90),
)


def seed() -> dict[str, str]:
    """Make what is missing; return ``{UX_USER, UX_PASSWORD, UX_WF, UX_RUN, API_TOKEN}``."""
    kept = _Keepsake(settings.STATE_DIR / "demo.json")
    owner, project = _owner(kept)
    _people(project, owner)
    _holidays()
    _leads()
    welcome = _published(project, owner, WELCOME)
    failing = _published(project, owner, FAILING)
    _events(welcome, [LEADS[0], LEADS[2]])
    _events(failing, [LEADS[1]])
    play_to_the_end()
    runs = Execution.objects.filter(workflow=welcome).order_by("id")
    # Without an answer of the mail server the run is not finished yet, but it is there.
    shown = runs.filter(status="SUCCESS").first() or runs.first()
    return {
        "UX_USER": owner.email,
        "UX_PASSWORD": kept.values["password"],
        "UX_WF": str(welcome.pk),
        "UX_RUN": str(shown.pk) if shown else "",
        "API_TOKEN": _token(kept, project, owner),
    }


class _Keepsake:
    """What was shown once and has to be shown again: password and token."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.values: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}

    def keep(self, **values: str) -> None:
        """Write values down for the next time."""
        self.values.update(values)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch(mode=0o600)
        self._path.write_text(json.dumps(self.values))


def _owner(kept: _Keepsake) -> tuple[User, Project]:
    owner = User.objects.filter(email=OWNER).first()
    if owner is not None and owner.check_password(kept.values.get("password", "")):
        return owner, Project.objects.order_by("created_at")[0]
    password = secrets.token_urlsafe(12)
    if not people.is_set_up():
        made = people.set_up_organisation(
            organisation="Demo Company", name="Otto Owner", email=OWNER, password=password
        )
        kept.keep(password=password)
        return made.owner, made.project
    project = Project.objects.order_by("created_at")[0]
    owner = owner or User.objects.create_user(OWNER, name="Otto Owner", is_staff=True)
    owner.set_password(password)
    owner.save(update_fields=["password"])
    _membership(project, owner, Role.ADMIN, actor=owner)
    kept.keep(password=password)
    return owner, project


def _holidays() -> None:
    """Close on two days that everybody knows, so that delays have something to go round."""
    usual = BusinessCalendar.objects.filter(is_usual=True).first()
    if usual is None or usual.holidays.exists():
        return
    year = clock.now().year
    for ahead in (0, 1):
        for month, day, name in ((1, 1, "New Year"), (12, 25, "Christmas")):
            usual.holidays.create(day=date(year + ahead, month, day), name=name)


def _people(project: Project, owner: User) -> None:
    team, _ = Team.objects.get_or_create(
        project=project, key=people.SALES_TEAM, defaults={"name": "Sales"}
    )
    for email, (name, role) in PEOPLE.items():
        user = User.objects.filter(email=email).first() or User.objects.create_user(
            email, name=name
        )
        _membership(project, user, role, actor=owner)
        if role == Role.OPERATOR:
            team.members.add(user)


def _membership(project: Project, user: User, role: str, *, actor: User) -> None:
    if not Membership.objects.filter(project=project, user=user).exists():
        people.add_member(project=project, user=user, role=role, actor=actor)


def _leads() -> None:
    db_changes.create_lead_sources()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM lead_sources")
        if cursor.fetchone()[0]:
            return
        for name, email, company, score in LEADS:
            cursor.execute(
                "INSERT INTO lead_sources (name, email, company, source, score)"
                " VALUES (%s, %s, %s, 'website', %s)",
                [name, email, company, score],
            )


def _published(project: Project, owner: User, document: dict[str, Any]) -> Workflow:
    found = Workflow.objects.filter(project=project, name=document["name"]).not_deleted().first()
    workflow: Workflow = found or drafts.create_workflow(project, owner, document)
    if workflow.live_version_id is None:
        publishing.publish(workflow, user=owner, note="Demo")
    return workflow


def _events(workflow: Workflow, leads: list[tuple[str, str, str, int]]) -> None:
    """Let leads arrive; the key of each keeps it from arriving twice."""
    if Execution.objects.filter(workflow=workflow).exists():
        return
    endpoint = WebhookEndpoint.objects.get(workflow=workflow)
    inbox.accept(
        [
            NewEvent(
                project_id=workflow.project_id,
                trigger_key="webhook",
                trigger_type="webhook",
                source=f"webhook:{endpoint.pk}",
                data={"name": name, "email": email, "company": company, "score": score},
                dedupe_key=f"demo-{email}",
            )
            for name, email, company, score in leads
        ]
    )


def _token(kept: _Keepsake, project: Project, owner: User) -> str:
    known = kept.values.get("token", "")
    row = ApiToken.objects.filter(token_hash=tokens.hash_of(known), revoked_at=None).first()
    if row is not None and (row.expires_at is None or row.expires_at > clock.now()):
        return known
    _, token = tokens.create_token(
        user=owner, project=project, name="Demo", scopes=["admin"], actor=owner
    )
    kept.keep(token=token)
    return token
