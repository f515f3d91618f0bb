from __future__ import annotations

from django.db import migrations

# Final states cannot be left, whoever writes. The WHEN clause keeps the cost of the trigger off
# every other update.
GUARDS = """
CREATE FUNCTION refuse_leaving_final_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% % is % and cannot become %', TG_ARGV[0], OLD.id, OLD.status, NEW.status
    USING ERRCODE = 'check_violation', CONSTRAINT = 'final_state_stays';
END $$;
CREATE TRIGGER final_state_stays BEFORE UPDATE ON workflow_execution FOR EACH ROW
  WHEN (OLD.status IN ('SUCCESS', 'FAILED', 'CANCELLED', 'TIMED_OUT')
        AND NEW.status IS DISTINCT FROM OLD.status)
  EXECUTE FUNCTION refuse_leaving_final_state('execution');
CREATE TRIGGER final_state_stays BEFORE UPDATE ON step_execution FOR EACH ROW
  WHEN (OLD.status IN ('SUCCESS', 'FAILED', 'SKIPPED', 'CANCELLED', 'TIMED_OUT')
        AND NEW.status IS DISTINCT FROM OLD.status)
  EXECUTE FUNCTION refuse_leaving_final_state('step execution');
"""
NO_GUARDS = """
DROP TRIGGER final_state_stays ON step_execution;
DROP TRIGGER final_state_stays ON workflow_execution;
DROP FUNCTION refuse_leaving_final_state();
"""
# The overview document's execution flow names these tables and fields.
VIEWS = """
CREATE VIEW workflow_run AS
SELECT id, id AS run_id, project_id, workflow_id, version_id, trigger_event_id, trigger_type,
       status, context_data, business_key, error, output, metrics, retry_of,
       created_at, started_at, ended_at, execution_time
  FROM workflow_execution;
CREATE VIEW step_run AS
SELECT id, execution_id AS run_id, project_id, step_id, kind, action_key, item, attempt, status,
       branch, input_data, result_data, error, started_at, ended_at, execution_time
  FROM step_execution;
"""
NO_VIEWS = "DROP VIEW step_run; DROP VIEW workflow_run;"


class Migration(migrations.Migration):
    dependencies = [("runtime", "0001_initial")]

    operations = [
        migrations.RunSQL(GUARDS, NO_GUARDS),
        migrations.RunSQL(VIEWS, NO_VIEWS),
    ]
