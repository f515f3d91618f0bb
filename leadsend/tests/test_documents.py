"""What the documents show works: examples, links, names of the environment, commands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands

from leadsend.access.models import Role
from leadsend.testing.factories import make_project, make_user
from workflows.models import Workflow

ROOT = Path(settings.BASE_DIR)
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
KINDS = {"added", "changed", "fixed", "removed", "security"}


def text_of(name):
    return (ROOT / name).read_text()


def example_of_readme():
    body = re.search(r"-d '(\{.*?\})'\n", text_of("README.md"), re.DOTALL)
    assert body is not None
    return json.loads(body[1])


def example_of(page):
    return json.loads(text_of(page).partition("```json\n")[2].partition("```")[0])


TRIGGER_PAGES = [
    str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs" / "triggers").glob("*.md"))
]


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["docs/api.md", *TRIGGER_PAGES])
def test_the_example_of_a_page_is_accepted_and_published(client, page):
    expect_published(client, example_of(page))


@pytest.mark.django_db
def test_the_example_of_the_readme_is_accepted_and_published(client):
    expect_published(client, example_of_readme())


def expect_published(client, example):
    project = make_project()
    client.force_login(make_user(project=project, role=Role.ADMIN))

    answer = client.post("/api/v1/workflows/", example, content_type="application/json")

    assert answer.status_code == 201
    assert answer.json()["problems"] == []
    assert Workflow.objects.get(pk=answer.json()["id"]).is_live


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)\s#]+)(?:#[^)]*)?\)", text)

    broken = [link for link in links if "://" not in link and not (path.parent / link).exists()]

    assert broken == []


def test_the_environment_is_documented_and_nothing_else():
    sources = text_of("leadsend/settings.py") + text_of("leadsend/env.py")
    read = set(
        re.findall(r"(?:env\.)?(?:text|number|names|_secret)\(\s*\"([A-Z][A-Z0-9_]+)\"", sources)
    )
    section = text_of("docs/operating.md").partition("## Environment")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    documented = {name for cell in cells for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", cell)}

    assert documented == read


def test_commands_in_documents_exist():
    known = set(get_commands())
    named = {
        (path.name, command)
        for path in DOCUMENTS
        if path.name != "plan.md"  # speaks of commands in general
        for command in re.findall(r"manage\.py ([a-z_]+)", path.read_text())
    }

    assert {(path, command) for path, command in named if command not in known} == set()
    assert ("README.md", "seed_demo") in named


def test_fragments_of_the_changelog_have_a_kind():
    fragments = list((ROOT / "docs" / "changes").glob("*.md"))

    assert fragments
    for path in fragments:
        topic, kind = path.name.removesuffix(".md").rsplit(".", 1)
        assert topic, path.name
        assert kind in KINDS, path.name
        assert path.read_text().strip(), path.name
