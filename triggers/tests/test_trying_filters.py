"""What a filter would have done: counts, reasons, and that nothing starts."""

from __future__ import annotations

import pytest

from leadsend.lib.errors import InvalidInput, LeadSendError
from leadsend.testing.dispatching import dispatch_all
from runtime.models import Execution
from triggers import trying_filters
from triggers.models import InboxEntry, Subscription
from triggers.tests.test_dispatch import arrive

pytestmark = pytest.mark.django_db

HOT = {"all": [{"left": "{{ event.score }}", "op": "gt", "right": 50}]}


@pytest.fixture
def subscription(make_workflow):
    workflow = make_workflow("manual")
    for score in (10, 60, 90, "x"):
        arrive(workflow, {"score": score})
    arrive(make_workflow("manual", name="Other"), {"score": 99})
    dispatch_all()
    return Subscription.objects.get(workflow=workflow)


def test_a_filter_is_tried_on_what_came_and_starts_nothing(subscription):
    before = Execution.objects.count()

    tried = trying_filters.try_filter(subscription, HOT)

    assert (tried.looked_at, tried.matched, tried.failed) == (4, 2, 0)
    reasons = {str(one.event.data["score"]): one.reason for one in tried.shown}
    assert "10" in reasons["10"]
    assert reasons["x"]
    assert Execution.objects.count() == before
    assert not InboxEntry.objects.exists()


def test_no_more_than_asked_for_are_looked_at(subscription):
    assert trying_filters.try_filter(subscription, {}, most=2).looked_at == 2


def test_ten_of_a_kind_are_shown(subscription):
    for _ in range(15):
        arrive(subscription.workflow, {"score": 70})
    tried = trying_filters.try_filter(subscription, HOT)

    assert tried.matched == 17
    assert sum(one.matched is True for one in tried.shown) == 10


@pytest.mark.parametrize("wrong", [{"some": []}, {"all": [{"left": 1}]}])
def test_a_filter_of_a_wrong_form_is_refused(subscription, wrong):
    with pytest.raises(InvalidInput) as refused:
        trying_filters.try_filter(subscription, wrong)

    assert refused.value.problems[0].path.startswith("/filter_conditions")


def test_a_filter_that_cannot_be_read_is_refused(subscription):
    with pytest.raises(LeadSendError):
        trying_filters.try_filter(subscription, {"cel": "event.score >"})


def test_a_filter_that_fails_on_some_events_says_on_how_many(subscription):
    tried = trying_filters.try_filter(subscription, {"cel": "100 / event.score > 1"})

    assert tried.failed == 1
    assert [one.event.data["score"] for one in tried.shown if one.matched is None] == ["x"]
