"""Object storages for tests: files of one test alone, and an S3 server on the loopback address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.config import Config
from django.core.files.storage import storages
from django.test import override_settings
from moto.server import ThreadedMotoServer

BUCKET: Final = "workflows"
_KEYS: Final = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
_REGION: Final = "us-east-1"


@contextmanager
def running_s3() -> Iterator[str]:
    """Run a real HTTP server that speaks S3; yield its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


def s3_client(address: str) -> Any:
    """Return a client of a server, as anybody else would have one."""
    return boto3.client("s3", endpoint_url=address, region_name=_REGION, **_KEYS)


@contextmanager
def objects_on_files(folder: Path) -> Iterator[None]:
    """Keep objects as files below a folder."""
    options = {"location": str(folder), "allow_overwrite": True}
    backend = {"BACKEND": "leadsend.lib.objects.DurableFiles", "OPTIONS": options}
    with override_settings(STORAGES=_with_objects(backend)):
        yield


@contextmanager
def objects_on_s3(address: str, *, has_bucket: bool = True) -> Iterator[Any]:
    """Keep objects in a fresh bucket of a server; yield a client of it.

    Without ``has_bucket`` nothing need answer at the address; the client is of no use then.
    """
    client = s3_client(address)
    if has_bucket:
        client.create_bucket(Bucket=BUCKET)
    try:
        with override_settings(STORAGES=_with_objects(_s3(address))):
            yield client
    finally:
        if has_bucket:
            _drop_bucket(client)


def _with_objects(backend: dict[str, Any]) -> dict[str, Any]:
    return {name: storages.backends[name] for name in storages.backends} | {"objects": backend}


def _s3(address: str) -> dict[str, Any]:
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": BUCKET,
            "endpoint_url": address,
            "access_key": _KEYS["aws_access_key_id"],
            "secret_key": _KEYS["aws_secret_access_key"],
            "region_name": _REGION,
            "addressing_style": "path",
            "file_overwrite": True,
            "client_config": Config(
                connect_timeout=1,
                retries={"max_attempts": 0},
                s3={"addressing_style": "path"},
            ),
        },
    }


def _drop_bucket(client: Any) -> None:
    if any(bucket["Name"] == BUCKET for bucket in client.list_buckets()["Buckets"]):
        for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
            client.delete_object(Bucket=BUCKET, Key=item["Key"])
        client.delete_bucket(Bucket=BUCKET)
