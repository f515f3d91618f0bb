"""What every REST view of LeadSend is built from; the names that settings and apps use."""

from leadsend.lib.api.envelope import answer_with_envelope
from leadsend.lib.api.paging import KeysetPagination
from leadsend.lib.api.parsing import GuardedJSONParser
from leadsend.lib.api.rendering import JSONRenderer
from leadsend.lib.api.serializers import StrictModelSerializer, StrictSerializer
from leadsend.lib.api.views import DenyAll, PolicyView, ProjectViewSet, project_of

__all__ = [
    "DenyAll",
    "GuardedJSONParser",
    "JSONRenderer",
    "KeysetPagination",
    "PolicyView",
    "ProjectViewSet",
    "StrictModelSerializer",
    "StrictSerializer",
    "answer_with_envelope",
    "project_of",
]
