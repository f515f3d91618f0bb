from __future__ import annotations

from django.db import migrations

# `json`, not `jsonb`: definition::text is then the stored document byte for byte. A secret's value
# is in no document, so there is nothing to mask.
FORWARDS = """
CREATE VIEW workflow_latest_json AS
SELECT w.id AS workflow_id,
       w.name,
       v.version_num,
       coalesce(v.document, w.draft)::json AS definition
  FROM workflow_definition w
  LEFT JOIN workflow_version v ON v.id = w.live_version_id
 WHERE w.deleted_at IS NULL
"""
BACKWARDS = "DROP VIEW workflow_latest_json"


class Migration(migrations.Migration):
    dependencies = [("workflows", "0001_initial")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
