from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from leadsend.lib.errors import ConfigurationError
from registry import catalog as module
from registry.actions.set_fields import SET_FIELDS


@pytest.fixture
def announced(monkeypatch):
    """Make an installed package announce what the test says."""
    module.catalog.cache_clear()

    def announce(value):
        point = EntryPoint(name="acme", value="acme.actions", group=module.ENTRY_POINTS)
        monkeypatch.setattr(EntryPoint, "load", lambda self: value)
        monkeypatch.setattr(module, "entry_points", lambda group: [point])

    yield announce
    module.catalog.cache_clear()


def acme(**contents):
    made = ModuleType("acme.actions")
    for name, value in contents.items():
        setattr(made, name, value)
    return made


def test_an_installed_package_adds_its_actions(announced):
    announced(acme(ACTIONS=(replace(SET_FIELDS, key="acme_fields", aliases=("acme_old",)),)))

    assert module.catalog().action("acme_fields") is module.catalog().action("acme_old")
    assert module.catalog().action("email_send") is not None


def test_a_package_cannot_take_a_key_over(announced):
    announced(acme(ACTIONS=(replace(SET_FIELDS, key="mine", aliases=("email_send",)),)))

    with pytest.raises(ConfigurationError, match="email_send"):
        module.catalog()


def test_an_entry_point_that_is_no_module_is_named(announced):
    announced(SET_FIELDS)

    with pytest.raises(ConfigurationError, match="acme"):
        module.catalog()


def test_the_catalogue_is_collected_once():
    assert module.catalog() is module.catalog()
