from __future__ import annotations

from django.db import migrations

FORWARDS = """
CREATE FUNCTION refuse_change_of_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'version % of workflow % is published: it cannot be changed or deleted',
    OLD.version_num, OLD.workflow_id
    USING ERRCODE = 'check_violation', CONSTRAINT = 'version_is_frozen';
END $$;
CREATE TRIGGER version_is_frozen BEFORE UPDATE OR DELETE ON workflow_version FOR EACH ROW
  EXECUTE FUNCTION refuse_change_of_version();
"""
BACKWARDS = """
DROP TRIGGER version_is_frozen ON workflow_version;
DROP FUNCTION refuse_change_of_version();
"""


class Migration(migrations.Migration):
    dependencies = [("workflows", "0002_workflow_latest_json")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
