"""Facts about executions that other apps may need, sent inside the recording transaction.

Receivers get ``execution_ids``, a list: the engine records many executions in one commit.
"""

from __future__ import annotations

from django.dispatch import Signal

execution_started = Signal()
execution_finished = Signal()
