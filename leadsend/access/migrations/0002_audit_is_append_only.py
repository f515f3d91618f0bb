from __future__ import annotations

from django.db import migrations

FORWARDS = """
CREATE FUNCTION refuse_change_of_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log only grows: entry % cannot be changed or deleted', OLD.number
    USING ERRCODE = 'check_violation', CONSTRAINT = 'audit_is_append_only';
END $$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON audit_entry FOR EACH ROW
  EXECUTE FUNCTION refuse_change_of_audit();
"""
BACKWARDS = """
DROP TRIGGER audit_is_append_only ON audit_entry;
DROP FUNCTION refuse_change_of_audit();
"""


class Migration(migrations.Migration):
    dependencies = [("access", "0001_initial")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
