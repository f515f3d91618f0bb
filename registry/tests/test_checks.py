from __future__ import annotations

from dataclasses import replace

from leadsend.lib.errors import ConfigurationError
from registry import checks
from registry.catalog import catalog


def test_the_contracts_of_this_repository_pass():
    assert checks.check_contracts() == []


def test_a_bad_contract_is_an_error_that_names_it(monkeypatch):
    actions = {"set_fields": replace(catalog().actions["set_fields"], title="")}
    monkeypatch.setattr(checks, "catalog", lambda: replace(catalog(), actions=actions))

    found = checks.check_contracts()

    assert [(error.id, error.msg) for error in found] == [
        ("registry.E001", "action set_fields: title is empty")
    ]


def test_a_catalogue_that_cannot_be_collected_is_an_error(monkeypatch):
    def broken():
        raise ConfigurationError("These keys are used twice: x.")

    monkeypatch.setattr(checks, "catalog", broken)

    assert [error.id for error in checks.check_contracts()] == ["registry.E002"]
