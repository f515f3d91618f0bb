"""Pages by key: complete, in order, without repeats, and deaf to forged cursors."""

from __future__ import annotations

import pytest

from leadsend.access.models import Team
from leadsend.testing.personas import api_of, make_people

pytestmark = pytest.mark.django_db

URL = "/api/v1/teams/"


@pytest.fixture
def friend():
    people = make_people()
    for number in range(7):
        # Names repeat, so that the id has to break ties.
        Team.objects.create(project=people.project, key=f"t{number}", name=f"Team {number // 3}")
    return api_of(people.ana)


@pytest.mark.parametrize("order", ["", "id", "-id", "name", "-name", "key", "-key"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
def test_pages_together_are_the_whole_list_in_order(friend, order, limit):
    rows = _all(friend, order=order, limit=limit)

    assert len(rows) == len({row["id"] for row in rows}) == 7
    name = order.lstrip("-") or "id"
    ordered = sorted(rows, key=lambda row: (row[name], row["id"]))
    assert rows == (ordered if order and order[0] != "-" else ordered[::-1])


def test_rows_added_meanwhile_do_not_move_the_next_page(friend):
    first = friend.get(URL, {"limit": 3}).json()
    project = Team.objects.all()[0].project
    Team.objects.create(project=project, key="late", name="Late")

    second = friend.get(URL, {"limit": 3, "cursor": first["next"]}).json()

    rows = first["results"] + second["results"]
    # Ids of the same millisecond are in no order of their making.
    assert len({row["key"] for row in rows} - {"late"}) == 6
    assert rows == sorted(rows, key=lambda row: row["id"], reverse=True)


def test_the_limit_has_a_limit(friend):
    assert len(friend.get(URL, {"limit": 10_000}).json()["results"]) == 7


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "x"}, {"order": "project"}, {"cursor": "x"}]
)
def test_bad_parameters_are_refused_at_their_place(friend, query):
    answer = friend.get(URL, query)

    assert answer.status_code == 400
    assert answer.json()["problems"][0]["path"] == f"/{next(iter(query))}"


def test_a_cursor_of_another_order_is_refused(friend):
    cursor = friend.get(URL, {"limit": 1, "order": "name"}).json()["next"]

    assert friend.get(URL, {"cursor": cursor}).status_code == 400


def _all(friend, *, order, limit):
    rows, query = [], {"limit": limit, **({"order": order} if order else {})}
    while True:
        page = friend.get(URL, query).json()
        rows += page["results"]
        if page["next"] is None:
            return rows
        query["cursor"] = page["next"]
