"""Every contract of the catalogue holds to the rules of the SDK."""

from __future__ import annotations

from types import ModuleType

import pytest
from jsonschema import Draft202012Validator

from leadsend.lib.errors import ConfigurationError
from registry.catalog import catalog, collect
from registry.sdk.checks import action_problems, credential_type_problems, trigger_problems
from registry.sdk.sentences import render_sentence

ACTIONS = catalog().actions
TRIGGERS = catalog().trigger_types
CREDENTIALS = catalog().credential_types


def known(key):
    action = catalog().action(key)
    assert action is not None
    return action


@pytest.mark.parametrize("key", ACTIONS)
def test_the_contract_of_an_action_is_sound(key):
    assert action_problems(ACTIONS[key]) == []


@pytest.mark.parametrize("key", TRIGGERS)
def test_the_contract_of_a_trigger_type_is_sound(key):
    assert trigger_problems(TRIGGERS[key]) == []


@pytest.mark.parametrize("key", CREDENTIALS)
def test_the_contract_of_a_credential_type_is_sound(key):
    assert credential_type_problems(CREDENTIALS[key]) == []


def test_the_keys_of_the_first_day_exist():
    assert {"email_send", "task_create", "http_request", "set_fields"} <= set(ACTIONS)
    assert {"webhook", "schedule", "db_change", "manual", "lead_sources_db_change"} <= set(TRIGGERS)
    assert {"api_key", "bearer", "basic", "smtp", "custom"} <= set(CREDENTIALS)


def test_an_action_is_found_by_its_alias_too():
    assert catalog().action("task_management") is catalog().action("task_create")
    assert "task_management" not in catalog().action_keys()
    assert catalog().action("nonsense") is None


@pytest.mark.parametrize(
    ("key", "cfg"),
    [
        ("email_send", {"template": "welcome"}),
        ("email_send", {"to": "{{ event.email }}", "template": "reminder"}),
        ("email_send", {"to": "a@b.com", "subject": "Hi", "text": "there"}),
        ("task_create", {"assignee": "sales_team"}),
        ("task_create", {}),
        ("task_management", {"operation": "create", "title": "Follow up lead"}),
        ("task_create", {"title": "Call", "due": {"value": 2, "unit": "days"}}),
        ("set_fields", {"fields": [{"path": "full_name", "value": "x"}], "keep": "all"}),
        ("http_request", {"url": "https://example.com"}),
    ],
)
def test_settings_that_are_promised_are_valid(key, cfg):
    Draft202012Validator(known(key).config_schema).validate(cfg)


@pytest.mark.parametrize(
    ("key", "cfg"),
    [
        ("email_send", {}),
        ("email_send", {"template": "nonsense"}),
        ("email_send", {"subject": "without a message"}),
        ("task_create", {"operation": "destroy"}),
        ("task_create", {"assignes": "sales_team"}),
        ("set_fields", {"fields": []}),
        ("set_fields", {"fields": [{"path": "a b", "value": 1}]}),
        ("http_request", {"method": "GET"}),
        ("http_request", {"url": "https://a", "timeout_s": 0}),
    ],
)
def test_settings_that_cannot_work_are_refused(key, cfg):
    assert not Draft202012Validator(known(key).config_schema).is_valid(cfg)


def test_a_webhook_without_a_check_needs_a_confirmation():
    validator = Draft202012Validator(TRIGGERS["webhook"].config_schema)

    assert validator.is_valid({"auth": {"mode": "none", "confirm_unauthenticated": True}})
    assert not validator.is_valid({"auth": {"mode": "none"}})
    assert not validator.is_valid({"auth": {"mode": "none", "confirm_unauthenticated": False}})
    assert validator.is_valid({"auth": {"mode": "standard_webhooks"}})


@pytest.mark.parametrize(
    ("key", "cfg", "sentence"),
    [
        ("email_send", {"template": "welcome"}, "Sends the email “Welcome” to the contact"),
        (
            "email_send",
            {"to": "{{ event.email }}", "subject": "Hi", "text": "x"},
            "Sends “Hi” to Email",
        ),
        ("task_create", {"assignee": "sales_team"}, "Creates a task for Sales team"),
        (
            "task_create",
            {"title": "Call {{ event.first_name }}", "due": {"value": 1, "unit": "days"}},
            "Creates a task “Call First name”, due: 1 day",
        ),
        ("task_create", {"operation": "complete", "task_id": "x"}, "Completes a task"),
        ("http_request", {"url": "https://a.com"}, "Fetch (GET): https://a.com"),
        ("set_fields", {"fields": [{"path": "a", "value": 1}]}, "Sets 1 field"),
    ],
)
def test_a_step_is_said_in_a_sentence(key, cfg, sentence):
    action = known(key)

    assert render_sentence(action.sentence, cfg, action.config_schema) == sentence


def test_a_key_that_is_used_twice_is_named():
    module = ModuleType("twice")
    module.ACTIONS = (known("set_fields"), known("set_fields"))  # type: ignore[attr-defined] # a module made up

    with pytest.raises(ConfigurationError, match="set_fields"):
        collect([module])
