"""Stories through real processes: one whole stack for each broker, with a mail server and S3."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from leadsend.testing import object_storage
from leadsend.testing.sinks import MailBox, mail_server
from leadsend.testing.stack import Stack, running_stack
from leadsend.trust.crash import demo_values


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A running LeadSend with demo data, and the systems around it.

    ``demo`` is what the demo data's command prints: how to sign in, and an API token.
    """

    stack: Stack
    box: MailBox
    demo: Mapping[str, str]
    s3_url: str

    @property
    def token(self) -> str:
        """Return the API token of the demo project."""
        return self.demo["API_TOKEN"]

    def stored_object(self, key: str) -> bytes:
        """Return an object's bytes as any S3 client reads them."""
        client = object_storage.s3_client(self.s3_url)
        body: bytes = client.get_object(Bucket=object_storage.BUCKET, Key=key)["Body"].read()
        return body


@pytest.fixture
def world(running_world: World) -> Iterator[World]:
    """The shared world; what a test has published is switched off when the test ends.

    Rows of `lead_sources` start every workflow that listens, so an active one would answer the
    rows of the tests after it.
    """
    yield running_world
    running_world.stack.sql("UPDATE workflow_definition SET is_active = false WHERE is_active")


@pytest.fixture(scope="session", params=["redis", "postgres"])
def running_world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    directory: Path = tmp_path_factory.mktemp("stack")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    with object_storage.running_s3() as s3_url, mail_server() as (box, email_url):
        object_storage.s3_client(s3_url).create_bucket(Bucket=object_storage.BUCKET)
        settings = {
            "S3_ENDPOINT_URL": s3_url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "EMAIL_URL": email_url,
        }
        with running_stack(directory, broker=request.param, settings=settings) as stack:
            demo = demo_values(stack)
            stack.start()
            yield World(stack=stack, box=box, demo=demo, s3_url=s3_url)
