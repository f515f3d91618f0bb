"""The decorator of pages."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from leadsend.access.models import Role
from leadsend.access.pages import page, zone_of
from leadsend.lib.errors import NotFound
from leadsend.testing.factories import make_project, make_user


def _request(user):
    request = RequestFactory().get("/somewhere/")
    request.user = user
    return request


@page("workflow.publish")
def zone_page(request):
    return HttpResponse(timezone.get_current_timezone_name())


@page("self.read")
def missing_page(request):
    raise NotFound("Nothing.")


def test_a_page_needs_a_permission_that_exists():
    with pytest.raises(ValueError, match="no permission"):
        page("workflow.dream")


def test_the_permission_can_be_looked_up():
    assert vars(zone_page)["policy"] == "workflow.publish"


def test_visitors_are_sent_to_sign_in(db):
    assert zone_page(_request(AnonymousUser()))["Location"] == "/login/?next=/somewhere/"


def test_after_signing_in_an_act_is_not_asked_for_again(db):
    request = RequestFactory().post("/somewhere/")
    request.user = AnonymousUser()

    assert zone_page(request)["Location"] == "/login/?next=/"


def test_who_has_the_permission_nowhere_is_refused(db):
    viewer = make_user(project=make_project(), role=Role.VIEWER)

    assert zone_page(_request(viewer)).status_code == 403


def test_moments_are_told_in_the_users_zone(db):
    user = make_user(project=make_project(), role=Role.PUBLISHER, timezone="Asia/Kolkata")

    assert list(zone_page(_request(user))) == [b"Asia/Kolkata"]


def test_answers_are_kept_by_no_shared_cache(db):
    user = make_user(project=make_project(), role=Role.PUBLISHER)

    assert zone_page(_request(user))["Cache-Control"] == "private, no-cache"


def test_what_is_not_found_becomes_the_404_page(db):
    with pytest.raises(Http404):
        missing_page(_request(make_user()))


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../../etc/passwd", "\0"])
def test_unknown_zones_are_utc(name):
    assert zone_of(name).key == "UTC"
