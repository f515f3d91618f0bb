"""Documents read as sentences."""

from __future__ import annotations

from registry.catalog import catalog
from workflows.definition import shorthand
from workflows.definition.outline import flow_sentences, outline, summary, without_paths

LEAD_FLOW = {
    "name": "Welcome new leads",
    "triggers": ["lead_sources_db_change"],
    "steps": [
        {
            "id": "hot",
            "kind": "condition",
            "cfg": {"all": [{"left": "{{ event.new.score }}", "op": "gt", "right": 50}]},
        },
        {
            "id": "mail",
            "kind": "action",
            "action_key": "email_send",
            "cfg": {"template": "welcome"},
        },
        {"id": "task", "kind": "action", "action_key": "task_create", "cfg": {"title": "Call"}},
        {"id": "wait", "kind": "delay", "cfg": {"for": "1d"}},
        {"id": "end", "title": "Goodbye", "kind": "end"},
    ],
    "edges": [
        {"from": "hot", "to": "mail", "branch_key": "yes"},
        {"from": "mail", "to": "task"},
        {"from": "hot", "to": "wait", "branch_key": "no"},
        {"from": "task", "to": "end"},
        {"from": "wait", "to": "end"},
    ],
}


def _outline(data):
    return outline(shorthand.expand(data), catalog=catalog())


def test_branches_are_told_before_the_step_where_they_meet():
    found = _outline(LEAD_FLOW)

    condition, end = found.steps
    assert found.triggers == ("When a lead arrives or changes",)
    assert condition.sentence == "If Score is greater than 50"
    assert [branch.label for branch in condition.branches] == ["Yes", "No"]
    assert [step.id for step in condition.branches[0].steps] == ["mail", "task"]
    assert (end.id, end.number, end.title) == ("end", 5, "Goodbye")


def test_sentences_name_no_paths_and_no_braces():
    told = " ".join(step.sentence for step in _outline(LEAD_FLOW).by_id().values())

    assert "Waits 1 day" in told
    assert "{" not in told
    assert "event." not in told


def test_reasons_of_conditions_are_told_without_paths():
    reason = "event.new.score (80) is greater than vars.hot_score (50)"

    assert without_paths(reason) == "Score (80) is greater than Hot score (50)"


def test_every_step_is_told_once_in_a_graph_of_circles_and_loose_ends():
    edges = [{"from": "mail", "to": "task"}, {"from": "task", "to": "mail"}]
    found = outline({**shorthand.expand(LEAD_FLOW), "edges": edges}, catalog=catalog())

    assert set(found.by_id()) == {"hot", "mail", "task", "wait", "end"}


def test_actions_that_are_gone_read_as_unknown():
    found = outline(
        {"steps": [{"id": "x", "kind": "action", "action_key": "no"}]}, catalog=catalog()
    )

    assert found.steps[0].sentence == "Does something that is not known here"


def test_the_summary_is_one_line():
    line = summary(shorthand.expand(LEAD_FLOW), catalog=catalog(), most=1)

    assert line == "When a lead arrives or changes → If Score is greater than 50 · …"


def test_what_holds_runs_back_is_said_in_words():
    rules = flow_sentences(
        {
            "priority": -3,
            "concurrency": {"key": "{{ event.email }}", "policy": "coalesce"},
            "debounce": {"key": "all", "for": {"value": 5, "unit": "minutes"}},
        }
    )

    assert rules == (
        "1 at a time for Email; of those that wait, the newest stays",
        "Starts 5 minutes after the last event for “all”",
        "Priority -3: lower goes first",
    )
    assert flow_sentences({}) == ()


def test_delays_by_the_calendar_are_told_in_words():
    def said(cfg):
        [step] = _outline({"name": "Test", "steps": [{"kind": "delay", "cfg": cfg}]}).steps
        return step.sentence

    assert (
        said({"business": {"for": {"value": 2, "unit": "days"}}}) == "Waits 2 days of business time"
    )
    assert said({"next": "business_hours"}) == "Waits until business hours"
    assert said({"next": "weekday"}) == "Waits until the next working day at 09:00"
    weekday = {"next": "weekday", "weekdays": ["mon", "thu"], "at": "10:00"}
    assert said(weekday) == "Waits until the next Monday, Thursday at 10:00"
