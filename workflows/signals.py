"""Facts about workflows that other apps need to know, sent inside the transaction.

Receivers get ``workflow`` and ``version`` (``workflow_retired``: ``workflow`` only). A receiver
that fails rolls the act back. A receiver of ``workflow_published`` may return a dict, which the
publisher finds in ``version.answers``.
"""

from __future__ import annotations

from django.dispatch import Signal

workflow_published = Signal()
workflow_retired = Signal()
