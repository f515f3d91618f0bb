"""The SQL that makes a table tell of its changes: one function and one trigger a table.

The function runs in the writer's transaction, so it must neither fail nor be slow: it takes the
row as it is (a renamed or dropped column is no error), and writes one row to the outbox.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import md5

from psycopg import sql

from leadsend.lib.errors import InvalidInput

TRIGGER_NAME = "leadsend_change"
OUTBOX = "table_change_outbox"
OPERATIONS = ("insert", "update", "delete")
DEFAULT_OPERATIONS = ("insert", "update")
# The writer's session says how deep it is in a chain of workflows that start each other.
DEPTH_SETTING = "leadsend.depth"
LARGEST_ROW_BYTES = 64 * 1024
# Columns that stay in their table unless a watch names them.
SECRET_COLUMNS = (
    *("password", "passwd", "pwd", "password_hash", "hashed_password", "passphrase", "salt", "pin"),
    *("secret", "secret_key", "client_secret", "private_key", "api_key", "apikey", "otp_secret"),
    *("token", "access_token", "refresh_token", "auth_token", "session_key", "cvv", "card_number"),
)

_PART = r'((?:"(?:[^"]|"")+")|[^\s".]+)'
_NAME = re.compile(rf"\s*(?:{_PART}\.)?{_PART}\s*")
_FUNCTION = """
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS {body}
"""
_BODY = """
DECLARE
  given text := current_setting({depth_setting}, true);
  depth integer := CASE WHEN given ~ '^[0-9]{{1,4}}$' THEN given::integer ELSE 0 END;
  before jsonb;
  after jsonb;
  names jsonb;
BEGIN
  IF TG_OP <> 'INSERT' THEN before := {before}; END IF;
  IF TG_OP <> 'DELETE' THEN after := {after}; END IF;
  IF pg_column_size(before) > {largest} OR pg_column_size(after) > {largest} THEN
    SELECT coalesce(jsonb_agg(e.key), '[]') INTO names FROM jsonb_each(after) e
     WHERE before -> e.key IS DISTINCT FROM e.value;
    before := CASE WHEN before IS NULL THEN NULL ELSE {old_key} END;
    after := CASE WHEN after IS NULL THEN NULL ELSE {new_key} END;
  END IF;
  INSERT INTO {outbox} (schema_name, table_name, op, row_key, old_row, new_row, changed, depth)
  VALUES ({schema}, {table}, lower(TG_OP), coalesce(after, before) ->> {key_column},
          before, after, names, depth);
  RETURN NULL;
END
"""
_CHOSEN = """(SELECT coalesce(jsonb_object_agg(e.key, e.value), '{{}}')
      FROM jsonb_each(to_jsonb({row})) e WHERE e.key = ANY ({columns}::text[]))"""
_TRIGGER = """
CREATE OR REPLACE TRIGGER {trigger} AFTER {operations} ON {relation}
FOR EACH ROW EXECUTE FUNCTION {function}()
"""
# Rows that came between the watch and the table's first trigger.
_CATCH_UP = """
INSERT INTO {outbox} (schema_name, table_name, op, row_key, new_row, depth)
SELECT {schema}, {table}, 'insert', r.row ->> {key_column}, r.row, 0
  FROM (SELECT {after} AS row FROM {relation} AS watched_row) r
"""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class TableName:
    """A table's schema and name, as they are written in the catalogue (case matters)."""

    schema: str
    table: str

    def __str__(self) -> str:
        return self.table if self.schema == "public" else f"{self.schema}.{self.table}"

    @property
    def source(self) -> str:
        """Return the source under which the table's events are recorded."""
        return f"table:{self.schema}.{self.table}"

    @property
    def relation(self) -> sql.Identifier:
        """Return the quoted name."""
        return sql.Identifier(self.schema, self.table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What one trigger has to record. ``columns`` None: all of them."""

    name: TableName
    key_column: str
    operations: frozenset[str]
    columns: frozenset[str] | None
    named: frozenset[str] = frozenset()

    @property
    def kept_back(self) -> list[str]:
        """Return the columns that never leave the table, where all others do."""
        return sorted(set(SECRET_COLUMNS) - self.named)

    @classmethod
    def union(
        cls, name: TableName, rows: Iterable[tuple[str, Sequence[str], Sequence[str] | None]]
    ) -> Watch:
        """Return what serves all watches of a table: rows of (key column, operations, columns)."""
        rows = list(rows)
        is_whole = any(not columns for _, _, columns in rows)
        chosen = {column for _, _, columns in rows for column in columns or ()}
        return cls(
            name=name,
            key_column=rows[0][0],
            operations=frozenset(one for _, operations, _ in rows for one in operations),
            columns=None if is_whole else frozenset(chosen | {key for key, _, _ in rows}),
            named=frozenset(chosen | {key for key, _, _ in rows}),
        )


def table_name(text: str) -> TableName:
    """Return the table that a text names: ``leads``, ``crm.leads``, ``"My Schema"."Odd.Table"``.

    Without a schema it is ``public``. Raises InvalidInput.
    """
    match = _NAME.fullmatch(text)
    parts = [_unquoted(part) for part in match.groups() if part] if match else []
    fits = all(len(part.encode()) <= 63 and "\0" not in part for part in parts)
    if not parts or not fits:
        raise InvalidInput(
            f"“{text}” does not name a table. Write it as leads, or with its schema as crm.leads."
        )
    return TableName(schema=parts[0] if len(parts) == 2 else "public", table=parts[-1])


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part


def install_statements(watch: Watch, *, home: str) -> list[str]:
    """Return the statements that make or replace a table's trigger.

    ``home`` is the schema in which LeadSend's own tables lie.
    """
    operations = [one.upper() for one in OPERATIONS if one in watch.operations]
    body = sql.SQL(_BODY).format(
        **_parts(watch, home),
        depth_setting=sql.Literal(DEPTH_SETTING),
        before=_row("OLD", watch),
        old_key=_only_key("before", watch.key_column),
        new_key=_only_key("after", watch.key_column),
        largest=sql.Literal(LARGEST_ROW_BYTES),
    )
    # As a literal, not between dollars: a column may be called what would end them.
    function = sql.SQL(_FUNCTION).format(
        function=_function(watch.name, home), body=sql.Literal(body.as_string())
    )
    trigger = sql.SQL(_TRIGGER).format(
        trigger=sql.Identifier(TRIGGER_NAME),
        operations=sql.SQL(" OR ").join(map(sql.SQL, operations)),
        relation=watch.name.relation,
        function=_function(watch.name, home),
    )
    return [function.as_string(), trigger.as_string()]


def catch_up_statement(watch: Watch, *, home: str) -> str:
    """Return the statement that records every row of the table as added."""
    parts = {**_parts(watch, home), "after": _row("watched_row.*", watch)}
    return sql.SQL(_CATCH_UP).format(**parts, relation=watch.name.relation).as_string()


def uninstall_statement(name: TableName, *, home: str) -> str:
    """Return the statement that leaves the schema as it was, also if the table was renamed."""
    drop = sql.SQL("DROP FUNCTION IF EXISTS {}() CASCADE")
    return drop.format(_function(name, home)).as_string()


def _function(name: TableName, home: str) -> sql.Identifier:
    # The name must fit 63 bytes, which schema and table together may exceed.
    digest = md5(f"{name.schema}\0{name.table}".encode(), usedforsecurity=False).hexdigest()
    return sql.Identifier(home, f"{TRIGGER_NAME}_{digest[:16]}")


def _parts(watch: Watch, home: str) -> dict[str, sql.Composable]:
    return {
        "outbox": sql.Identifier(home, OUTBOX),
        "schema": sql.Literal(watch.name.schema),
        "table": sql.Literal(watch.name.table),
        "key_column": sql.Literal(watch.key_column),
        "after": _row("NEW", watch),
    }


def _row(row: str, watch: Watch) -> sql.Composable:
    if watch.columns is None:
        kept_back = sql.Literal(watch.kept_back)
        return sql.SQL("(to_jsonb({}) - {}::text[])").format(sql.SQL(row), kept_back)
    return sql.SQL(_CHOSEN).format(row=sql.SQL(row), columns=sql.Literal(sorted(watch.columns)))


def _only_key(row: str, key_column: str) -> sql.Composable:
    key = sql.Literal(key_column)
    return sql.SQL("jsonb_build_object({key}, {row} -> {key})").format(key=key, row=sql.SQL(row))
