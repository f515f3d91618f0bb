"""Published documents, compiled once and kept: by version, and by content where they are equal."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from leadsend.lib.errors import ConfigurationError, LeadSendError
from leadsend.lib.postgres import Connection
from registry.sdk.catalog_view import CatalogView
from runtime.engine.plan import Plan, compile_plan
from workflows import variables
from workflows.definition.canonical import load
from workflows.definition.expressions.text import compile_text
from workflows.definition.upgrades import upgrade

log = logging.getLogger(__name__)

KEPT: Final = 1000
Evaluate = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A document made ready. ``error`` says why it cannot run, and then ``plan`` has no steps."""

    name: str
    document: Mapping[str, Any]
    plan: Plan
    business_key: Evaluate | None = None
    has_secrets: bool = False
    error: ConfigurationError | None = None


_NOTHING: Final = Plan(steps=(), by_id={}, variables={})
NO_DOCUMENT: Final = Compiled(
    name="",
    document={},
    plan=_NOTHING,
    error=ConfigurationError("The version's document is gone.", code="document_missing"),
)


class Plans:
    """The plans of this process; versions never change, so nothing is ever stale."""

    def __init__(self, catalog: CatalogView) -> None:
        self._catalog = catalog
        self._by_version: OrderedDict[UUID, Compiled] = OrderedDict()
        self._by_hash: OrderedDict[str, Compiled] = OrderedDict()

    def of_versions(
        self, connection: Connection, version_ids: Iterable[UUID]
    ) -> dict[UUID, Compiled]:
        """Return the compiled documents by version; queries only for those not seen before."""
        wanted = set(version_ids)
        missing = [version for version in wanted if version not in self._by_version]
        if missing:
            self._load(connection, missing)
        found = {}
        for version in wanted & self._by_version.keys():
            self._by_version.move_to_end(version)
            found[version] = self._by_version[version]
        _shrink(self._by_version, beyond=max(KEPT, len(wanted)))
        return found

    def _load(self, connection: Connection, version_ids: list[UUID]) -> None:
        rows = connection.execute(
            "SELECT id, content_hash, document FROM workflow_version WHERE id = ANY(%s)",
            [version_ids],
        )
        for version_id, content_hash, document in rows.fetchall():
            if content_hash not in self._by_hash:
                self._by_hash[content_hash] = compile_document(document, self._catalog)
                _shrink(self._by_hash, beyond=KEPT)
            self._by_version[version_id] = self._by_hash[content_hash]


def compile_document(text: str, catalog: CatalogView) -> Compiled:
    """Compile a canonical document; never raises for what the document says."""
    document: Mapping[str, Any] = {}
    try:
        document = upgrade(load(text))
        plan = compile_plan(document, catalog)
        key = (document.get("settings") or {}).get("business_key") or ""
        return Compiled(
            name=document.get("name", ""),
            document=document,
            plan=plan,
            business_key=compile_text(key) if key else None,
            has_secrets=any(v.get("secret") is True for v in document.get("variables") or ()),
        )
    except LeadSendError as error:
        refused = ConfigurationError(error.message, code=error.code)
    except Exception as error:
        log.exception("document not compiled")
        refused = ConfigurationError(f"The document cannot be run: {error!r}"[:500])
    return Compiled(
        name=str(document.get("name", "")), document=document, plan=_NOTHING, error=refused
    )


def secrets_of(workflow_id: UUID, compiled: Compiled) -> dict[str, Any]:
    """Return the secret variables' values by key, unsealed; queries where there are any.

    Raises ConfigurationError when one cannot be unsealed. Call it inside ``forgetting_secrets``.
    """
    if not compiled.has_secrets:
        return {}
    values = variables.values_of(workflow_id, compiled.document)
    secret = [v["key"] for v in compiled.document["variables"] if v.get("secret") is True]
    return {key: values.get(key) for key in secret}


def _shrink(kept: OrderedDict[Any, Any], *, beyond: int) -> None:
    while len(kept) > beyond:
        kept.popitem(last=False)
