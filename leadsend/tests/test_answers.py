"""What reading answers is what the OpenAPI document says, for a row of every resource."""

from __future__ import annotations

import json
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from jsonschema import Draft202012Validator

from leadsend.testing.personas import browser_of, make_people
from leadsend.testing.world import address_of, make_world
from registry.seeding import seed_registry


@pytest.mark.django_db
def test_answers_are_what_the_document_says():
    seed_registry()
    people = make_people()
    world = make_world(people.project, people.ana)
    browser = browser_of(people.ana)
    document = _document()
    wrong = []
    for path, operations in document["paths"].items():
        if "get" not in operations:
            continue
        answer = browser.get(address_of(path, world))
        assert answer.status_code == 200, path
        schema = _schema(operations["get"]["responses"]["200"], document)
        wrong += [
            f"{path} {error.json_path}: {error.message[:100]}"
            for error in Draft202012Validator(schema).iter_errors(answer.json())
        ]

    assert wrong == []


def _document() -> Any:
    generated = SchemaGenerator().get_schema(request=None, public=True)
    return json.loads(OpenApiJsonRenderer().render(generated, renderer_context={}))


def _schema(response, document):
    schema = response["content"]["application/json"]["schema"]
    return {**schema, "components": document["components"]}
