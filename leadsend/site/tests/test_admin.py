"""Every table in the admin: lists, filters, search and pages, for whom they are and for nobody else."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from leadsend.access.admin_lists import MOST_COUNTED, CappedPaginator
from leadsend.access.admin_pages import ReadOnlyAdmin
from leadsend.access.models import Project, ProjectQuerySet, Role, Team, User
from leadsend.site.tests.admin_rows import make_common_rows, make_project_rows
from leadsend.testing.factories import make_project, make_user
from runtime.models import Execution

pytestmark = pytest.mark.django_db

OURS = ("access", "registry", "credentials", "workflows", "runtime", "triggers")
APPS = (*OURS, "others")
ADMINS = {model._meta.label_lower: shown for model, shown in admin.site._registry.items()}
READ_ONLY = [name for name, shown in ADMINS.items() if isinstance(shown, ReadOnlyAdmin)]
SCOPED = [
    name
    for name, shown in ADMINS.items()
    if isinstance(shown.model._default_manager.all(), ProjectQuerySet)
]


@pytest.fixture
def root(client):
    user = User.objects.create_superuser("root@example.com", name="Root")
    client.force_login(user)
    return client


@pytest.fixture
def rows():
    make_common_rows()
    return make_project_rows()


def of_app(app, names=ADMINS):
    """Return the tables of one app; a test a table would make the same rows again and again."""
    if app == "others":
        return [name for name in names if name.split(".")[0] not in OURS]
    return [name for name in names if name.split(".")[0] == app]


def list_of(name):
    return reverse(f"admin:{name.replace('.', '_')}_changelist")


def page_of(name, key):
    return reverse(f"admin:{name.replace('.', '_')}_change", args=[key])


def text_of(answer):
    return unescape(answer.content.decode())


def links_of_filters(answer):
    """Return the addresses that the sidebar's filters offer."""
    sidebar = text_of(answer).partition('id="changelist-filter"')[2]
    return sorted(set(re.findall(r'<a href="(\?[^"]*)"', sidebar)))


def queries_of(client, name):
    with CaptureQueriesContext(connection) as queries:
        client.get(list_of(name))
    return len(queries)


def test_every_table_has_a_page():
    missing = [
        model._meta.label
        for model in apps.get_models()
        if model._meta.app_label in OURS and model not in admin.site._registry
    ]

    assert missing == []
    assert "django_celery_beat.periodictask" in ADMINS


@pytest.mark.parametrize("app", APPS)
def test_list_search_filters_and_page_answer(root, rows, app):
    for name in of_app(app):
        model = ADMINS[name].model
        row = model._default_manager.first()
        assert row is not None

        listed = root.get(list_of(name))

        assert listed.status_code == 200
        link = f"/{quote(row.pk)}/change/".replace("_2D", "-")
        assert link in text_of(listed).replace("_2D", "-")
        assert root.get(page_of(name, row.pk)).status_code == 200
        for query in ("?q=Lea", f"?q={row.pk}", *links_of_filters(listed)):
            assert root.get(list_of(name) + query).status_code == 200, query


@pytest.mark.parametrize("app", OURS)
def test_rows_that_the_product_writes_cannot_be_written_by_hand(root, rows, app):
    for name in of_app(app, READ_ONLY):
        model = ADMINS[name].model
        key, before = model._default_manager.first().pk, model._default_manager.count()
        base = list_of(name)

        for address in (f"{base}add/", page_of(name, key), f"{base}{key}/delete/"):
            assert root.post(address, {"post": "yes", "_save": "1"}).status_code == 403, address
        deleted = root.post(
            base, {"action": "delete_selected", "_selected_action": key, "post": "yes"}
        )

        assert deleted.status_code in (200, 302)
        assert model._default_manager.count() == before


def test_who_is_not_staff_stays_outside(client, rows):
    client.force_login(make_user(project=rows, role=Role.ADMIN))
    for name in ADMINS:
        row = ADMINS[name].model._default_manager.first()

        for address in (list_of(name), page_of(name, row.pk)):
            answer = client.get(address, follow=True)
            assert answer.status_code == 403, address


@pytest.mark.parametrize("app", OURS)
def test_staff_see_rows_of_their_own_projects_only(client, rows, app):
    mine = make_project_rows(text="Tom")
    client.force_login(make_user(project=mine, role=Role.ADMIN, is_staff=True))
    for name in of_app(app, SCOPED):
        model = ADMINS[name].model
        own = [row.pk for row in model._default_manager.all() if row.project_id == mine.pk]
        foreign = [row.pk for row in model._default_manager.all() if row.project_id == rows.pk]
        assert own
        assert foreign

        listed = text_of(client.get(list_of(name)))

        assert all(f"/{key}/change/" in listed for key in own)
        assert not any(str(key) in listed for key in foreign)
        assert rows.name not in listed
        assert client.get(page_of(name, own[0])).status_code == 200
        refused = client.get(page_of(name, foreign[0]), follow=True)
        assert "doesn’t exist" in text_of(refused)


def test_names_of_foreign_teams_and_projects_are_in_no_filter(client, rows):
    mine = make_project(name="Mine")
    client.force_login(make_user(project=mine, role=Role.ADMIN, is_staff=True))
    Team.objects.filter(project=rows).update(name="Foreign team")
    Project.objects.filter(pk=rows.pk).update(name="Foreign project")

    for name in SCOPED:
        assert "Foreign" not in text_of(client.get(list_of(name))), name


@pytest.mark.parametrize(
    ("role", "closed"),
    [
        (Role.VIEWER, {"runtime.outboxmail", "access.auditentry", "access.apitoken"}),
        (Role.VIEWER, {"credentials.usercredential", "runtime.worker", "triggers.inboxentry"}),
        (Role.BUILDER, {"access.auditentry", "access.apitoken", "access.user"}),
        (Role.ADMIN, {"access.user", "triggers.tablechange", "runtime.worker", "auth.group"}),
    ],
)
def test_staff_see_no_tables_that_their_role_does_not_include(client, rows, role, closed):
    client.force_login(make_user(project=rows, role=role, is_staff=True))

    front = text_of(client.get(reverse("admin:index")))

    for name in closed:
        assert list_of(name) not in front
        assert client.get(list_of(name)).status_code == 403
    assert list_of("runtime.execution") in front


def test_staff_who_are_no_superusers_write_nothing(client, rows):
    client.force_login(make_user(project=rows, role=Role.ADMIN, is_staff=True))

    for name, shown in ADMINS.items():
        row = shown.model._default_manager.first()
        for address in (f"{list_of(name)}add/", page_of(name, row.pk)):
            answer = client.post(address, {"_save": "1"})
            assert answer.status_code in (302, 403), address
            # Rows that are not shown redirect to the front page, with a message.
            assert answer.status_code == 403 or answer["Location"] == reverse("admin:index")


def test_a_list_asks_as_often_for_many_rows_as_for_one(root, rows):
    names = [name for app in OURS for name in of_app(app)]
    before = {name: queries_of(root, name) for name in names}
    make_project_rows()
    make_project_rows()

    after = {name: queries_of(root, name) for name in names}

    assert after == before


def test_secrets_are_on_no_page(root, rows):
    for name in ("access.apitoken", "credentials.usercredential", "triggers.webhookendpoint"):
        row = ADMINS[name].model._default_manager.first()
        text = text_of(root.get(page_of(name, row.pk)))
        for field in ("token_hash", "sealed", "sealed_secret", "token"):
            value = getattr(row, field, None)
            assert not value or str(value) not in text, field


def test_the_count_of_a_large_table_ends(root, rows):
    with CaptureQueriesContext(connection) as queries:
        root.get(list_of("runtime.execution"))

    counts = [one["sql"] for one in queries if "COUNT(*)" in one["sql"]]
    assert counts
    assert all(f"LIMIT {MOST_COUNTED + 1}" in sql for sql in counts)


def test_a_capped_count_says_that_there_are_more(root, rows, monkeypatch):
    monkeypatch.setattr("leadsend.access.admin_lists.MOST_COUNTED", 1)
    make_project_rows()

    assert CappedPaginator(Execution.objects.order_by("id"), 50).is_capped
    assert "more than 1 runs" in " ".join(text_of(root.get(list_of("runtime.execution"))).split())


def test_the_front_page_tells_how_it_runs(root, rows):
    text = " ".join(text_of(root.get(reverse("admin:index"))).split())

    for words in ("How it runs", "Events not looked at yet", "Engine processes", "Last tick"):
        assert words in text
    assert "Runs that could start</th> <td>1</td>" in text


def test_signing_in_goes_through_the_page_that_counts_wrong_tries(client):
    answer = client.post(reverse("admin:login"), {"username": "a", "password": "b"})

    assert answer.status_code == 302
    assert answer["Location"].startswith("/login/")
