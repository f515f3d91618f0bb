from __future__ import annotations

import asyncio

import pytest

from leadsend.lib import postgres


@pytest.fixture
def pooled(settings):
    """A pooler's address in front; the direct one is another."""
    settings.DATABASE_URL = "postgresql://ada:p%40ss@pooler:6432/leads"
    settings.POSTGRES_DIRECT_URL = "postgresql://ada:p%40ss@database:5432/leads"


def test_without_a_pooler_both_addresses_are_the_same(settings):
    settings.POSTGRES_DIRECT_URL = settings.DATABASE_URL

    assert not postgres.is_pooled()
    assert postgres.address(direct=True) == postgres.address()


def test_a_direct_address_goes_past_the_pooler(pooled):
    address = postgres.address(direct=True)

    assert postgres.is_pooled()
    assert (address["host"], address["port"]) == ("database", 5432)
    assert (address["user"], address["password"]) == ("ada", "p@ss")


@pytest.mark.django_db
def test_both_kinds_of_connection_commit_each_statement_and_say_who_they_are():
    query = "SELECT current_setting('application_name')"

    async def ask():
        async with await postgres.connect_async("leadsend test") as connection:
            assert connection.autocommit
            return await (await connection.execute(query)).fetchone()

    with postgres.connect("leadsend test") as connection:
        assert connection.autocommit
        assert connection.execute(query).fetchone() == ("leadsend test",)
    assert asyncio.run(ask()) == ("leadsend test",)
