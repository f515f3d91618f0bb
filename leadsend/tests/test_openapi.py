"""The OpenAPI document: valid, complete, stable, and shown by a viewer without other hosts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from django.conf import settings
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from openapi_spec_validator import validate

SNAPSHOT = Path(settings.BASE_DIR) / "docs" / "openapi.json"
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def document():
    generated = SchemaGenerator().get_schema(request=None, public=True)
    return json.loads(OpenApiJsonRenderer().render(generated, renderer_context={}))


def test_the_document_is_valid(document):
    validate(document)

    assert document["openapi"].startswith("3.1")


def test_the_snapshot_is_what_the_code_says(document):
    """Written by ``manage.py spectacular --format openapi-json --file docs/openapi.json``."""
    assert json.loads(SNAPSHOT.read_text()) == document


def test_every_operation_has_one_id_and_the_error_envelope(document):
    found = list(_operations(document))

    ids = Counter(operation["operationId"] for _, _, operation in found)
    assert [name for name, times in ids.items() if times > 1] == []
    for path, method, operation in found:
        for code, answer in operation["responses"].items():
            if code.startswith(("4", "5")):
                schema = answer["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Error"}, (path, method, code)


def test_paths_of_the_contract_are_there(document):
    resources = (
        "workflows versions steps edges variables actions trigger-types credential-types "
        "credentials tokens projects members teams audit"
    )
    for name in resources.split():
        assert f"/api/v1/{name}/" in document["paths"], name


@pytest.mark.django_db
def test_the_document_is_served_to_everybody(client):
    answer = client.get("/api/schema/", {"format": "json"})

    assert answer.status_code == 200
    assert answer.json()["info"]["title"] == "LeadSend"


@pytest.mark.django_db
def test_the_viewer_needs_no_inline_script_and_no_other_host(client):
    answer = client.get("/api/docs/")
    page = answer.content.decode()

    assert answer.status_code == 200
    assert "default-src 'self'" in answer["Content-Security-Policy"]
    assert "http://" not in page.replace("http://testserver", "")
    assert "https://" not in page
    for part in page.split("<script")[1:]:
        assert "src=" in part.split(">")[0], part
    assert "<style" not in page
    assert " style=" not in page


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_an_unknown_path_is_answered_in_the_envelope(client, method):
    answer = getattr(client, method)("/api/v1/unicorns/")

    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


def _operations(document):
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method in METHODS:
                yield path, method, operation
