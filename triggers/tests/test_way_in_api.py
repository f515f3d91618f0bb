"""Ways in by REST: watched tables, what webhooks were sent, programs that send."""

from __future__ import annotations

import pytest

from leadsend.access.models import AuditEntry
from triggers.models import (
    WebhookEndpoint,
    WebhookRefusal,
)

pytestmark = pytest.mark.django_db


def test_a_table_is_watched_and_let_go_by_who_may(api, viewer, stranger):
    url, wanted = "/api/v1/watched-tables/", {"table": "orders", "operations": ["delete"]}

    assert viewer.post(url, wanted, format="json").status_code == 403
    made = api.post(url, {**wanted, "columns": ["id", "state"]}, format="json")
    assert made.status_code == 201
    assert made.data["waiting_since"] is not None
    assert viewer.get(url).data["results"] == [made.data]
    one = f"{url}{made.data['id']}/"
    assert stranger.delete(one).status_code == 404
    assert viewer.delete(one).status_code == 403
    assert api.delete(one).status_code == 204
    assert api.get(one).status_code == 404
    acts = AuditEntry.objects.filter(act__startswith="table.").values_list("act", flat=True)
    assert sorted(acts) == ["table.unwatch", "table.watch"]


def test_a_table_that_workflows_listen_to_is_not_let_go(api, make_workflow):
    make_workflow({"trigger_key": "db_change", "cfg": {"table": "orders"}})
    [row] = api.get("/api/v1/watched-tables/").data["results"]

    refused = api.delete(f"/api/v1/watched-tables/{row['id']}/")

    assert refused.status_code == 409
    assert not AuditEntry.objects.filter(act="table.unwatch").exists()


@pytest.mark.parametrize(
    "wrong",
    [{"table": "a b"}, {"table": "t", "operations": ["x"]}, {"table": "pg_catalog.pg_class"}],
)
def test_what_cannot_be_watched_is_refused_with_a_sentence(api, wrong):
    refused = api.post("/api/v1/watched-tables/", wrong, format="json")

    assert refused.status_code == 400
    assert refused.data["message"]


def test_programs_that_send_to_a_webhook_are_shown(viewer, stranger, make_workflow):
    make_workflow("webhook")
    url = f"/api/v1/webhook-endpoints/{WebhookEndpoint.objects.get().pk}/samples/"

    assert viewer.get(url).data.keys() == {"python"}
    assert stranger.get(url).status_code == 404


def test_deliveries_of_a_webhook_are_listed(viewer, stranger, make_workflow):
    make_workflow("webhook")
    endpoint = WebhookEndpoint.objects.get()
    WebhookRefusal.objects.create(
        project=endpoint.project, endpoint=endpoint, status=401, code="x", message="No.", count=4
    )
    url = f"/api/v1/webhook-endpoints/{endpoint.pk}/deliveries/"

    assert [(row["code"], row["count"]) for row in viewer.get(url).data] == [("x", 4)]
    assert stranger.get(url).status_code == 404
