"""Facts about executions and tasks that other apps may need, sent inside the recording transaction.

Receivers of ends and starts get ``execution_ids``, a list: the engine records many executions in one
commit. It hands its ``connection`` along; others use Django's. ``task_done`` comes with the ``task``.
"""

from __future__ import annotations

from django.dispatch import Signal

execution_started = Signal()
execution_finished = Signal()
task_done = Signal()
