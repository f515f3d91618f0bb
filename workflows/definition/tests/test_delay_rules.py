from __future__ import annotations

import pytest

from workflows.definition.tests.catalog import Catalog
from workflows.definition.validation import validate


def found(cfg):
    document = {
        "name": "Test",
        "triggers": [{"id": "new_lead", "trigger_key": "form"}],
        "steps": [{"id": "wait", "kind": "delay", "cfg": cfg}, {"id": "done", "kind": "end"}],
        "edges": [{"from": "wait", "to": "done"}],
    }
    return {(problem.code, problem.path) for problem in validate(document, catalog=Catalog())}


@pytest.mark.parametrize(
    "cfg",
    [
        {"business": {"for": {"value": 2, "unit": "hours"}}},
        {"business": {"for": {"value": "{{ event.score }}", "unit": "days"}}, "calendar": "office"},
        {"next": "business_hours"},
        {"next": "weekday", "weekdays": ["mon", "fri"], "at": "08:30"},
    ],
)
def test_delays_by_the_calendar_have_no_problems(cfg):
    assert found(cfg) == set()


@pytest.mark.parametrize(
    ("cfg", "path"),
    [
        ({"for": {"value": 1, "unit": "days"}, "next": "weekday"}, "/next"),
        ({"calendar": "office"}, ""),
        ({"next": "business_hours", "at": "09:00"}, "/at"),
        ({"for": {"value": 1, "unit": "days"}, "calendar": "office"}, "/calendar"),
        ({"business": {"for": {"value": "two", "unit": "hours"}}}, "/business/for/value"),
        ({"business": {"for": {"value": 1.5, "unit": "days"}}}, "/business/for/value"),
        ({"business": {"for": {"value": 1, "unit": "weeks"}}}, "/business/for/unit"),
        ({"next": "weekday", "weekdays": ["someday"]}, "/weekdays/0"),
        ({"next": "weekday", "at": "9"}, "/at"),
    ],
)
def test_what_makes_no_sense_is_refused_in_its_place(cfg, path):
    assert ("form", f"/steps/0/cfg{path}") in found(cfg)
