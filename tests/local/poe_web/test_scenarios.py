"""Which requests a scenario strikes, and scenarios as JSON."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.poe_web import Scenario
from local.poe_web.request_faults import DelayResponse, HttpError
from local.poe_web.scenarios import CATALOGUE, Target, scenario_from_json
from local.poe_web.stream_faults import CutSocket
from local.scenarios import ScenarioQueue, UnknownScenario, scenario_to_json

SEND = Target("/api/gql_POST", "SendMessageMutation", "cookie-1", "Echo", starts_answer=True)
SETTINGS = Target("/api/gql_POST", "SettingsPageQuery", "cookie-1")
SCRIPT = Target("/_next/static/x.js", auxiliary=True)
SOCKET = Target("/up/chan1/updates", account="cookie-1", auxiliary=True)


@pytest.mark.parametrize(
    ("scenario", "struck"),
    [
        (Scenario(HttpError()), [SEND, SETTINGS]),
        (Scenario(CutSocket()), [SEND]),
        (Scenario((CutSocket(), DelayResponse())), [SEND]),
        (Scenario(HttpError(), account="cookie-2"), []),
        (Scenario(HttpError(), account="cookie-1"), [SEND, SETTINGS]),
        (Scenario(HttpError(), bot="e CHO"), [SEND]),
        (Scenario(HttpError(), operation="settingsPageQuery"), [SETTINGS]),
        (Scenario(HttpError(), operation="/up"), [SOCKET]),
        (Scenario(HttpError(), operation="/_next"), [SCRIPT]),
        (Scenario(HttpError(), operation="/"), []),
    ],
)
def test_a_scenario_strikes_what_it_is_about(scenario, struck):
    assert [t for t in (SEND, SETTINGS, SCRIPT, SOCKET) if scenario.matches(t)] == struck


def test_a_scenario_strikes_so_many_times_after_so_many_that_pass():
    queue = ScenarioQueue([Scenario(HttpError(), times=2, skip=1)])
    assert [bool(queue.take(SEND)) for _ in range(5)] == [False, True, True, False, False]
    assert queue.waiting == []


def test_the_first_scenario_that_matches_is_taken():
    queue = ScenarioQueue([Scenario(HttpError(503), bot="Echo"), Scenario(HttpError(500))])
    assert queue.take(SETTINGS) == (HttpError(500),)
    assert queue.take(SEND) == (HttpError(503),)


@pytest.mark.parametrize("name", CATALOGUE.by_name)
def test_every_fault_has_a_json_form(name):
    kind = CATALOGUE.by_name[name]
    needed = {f.name: "x" for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING}
    value = {"faults": [{"type": name, **needed}], "times": 3, "account": "a", "bot": "b", "operation": "o", "skip": 1}
    scenario = scenario_from_json(value)
    assert scenario == Scenario((kind(**needed),), 3, "a", "b", "o", 1)
    assert scenario_from_json(scenario_to_json(scenario)) == scenario


def test_a_fault_may_be_only_a_name():
    assert scenario_from_json({"faults": ["cut_socket"]}) == Scenario((CutSocket(),))


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([], "object"),
        ({}, "at least one fault"),
        ({"faults": []}, "at least one fault"),
        ({"faults": ["no_such"]}, "no such fault"),
        ({"faults": [7]}, "no such fault"),
        ({"faults": [{"type": "cut_socket", "where": 3}]}, "no field 'where'"),
        ({"faults": [{"type": "cut_socket", "at": "x"}]}, "integer"),
        ({"faults": [{"type": "cut_socket", "how": "gently"}]}, "abrupt"),
        ({"faults": ["mutation_status"]}, "required"),
        ({"faults": ["cut_socket"], "times": "2"}, "times"),
        ({"faults": ["cut_socket"], "when": 2}, "when"),
    ],
)
def test_a_wrong_scenario_is_refused_with_the_reason(value, says):
    with pytest.raises(UnknownScenario, match=says):
        scenario_from_json(value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["faults", "type", "at"]), inner),
    max_leaves=8,
)


@given(json_values)
def test_no_json_value_raises_anything_else(value):
    try:
        scenario_from_json(value)
    except UnknownScenario:
        pass
