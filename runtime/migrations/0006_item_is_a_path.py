from __future__ import annotations

from django.db import migrations, models

# No step of a loop could run before, so the column is empty everywhere: putting another in its
# place rewrites nothing, which a change of its type would.
_COLUMNS = """
SELECT id, execution_id AS run_id, project_id, step_id, kind, action_key, item, attempt, status,
       branch, input_data, result_data, error, started_at, ended_at, execution_time
  FROM step_execution
"""
_CREATE = f"CREATE VIEW step_run AS {_COLUMNS}"
_DROP = "DROP VIEW step_run"


class Migration(migrations.Migration):
    dependencies = [("runtime", "0005_execution_crashed_index")]

    operations = [
        migrations.RunSQL(_DROP, _CREATE),
        migrations.RemoveField("stepexecution", "item"),
        migrations.AddField(
            "stepexecution", "item", models.CharField(blank=True, max_length=40, null=True)
        ),
        migrations.RunSQL(_CREATE, _DROP),
    ]
