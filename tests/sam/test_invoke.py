"""Every sample event through the built artefacts in a container."""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.sam

PRELUDE_END = bytes(8)
EVENTS = Path(__file__).parents[2] / "events"


def sample(name, gateway=None, model=None):
    """The event as it is in the repository, or with a key and a model that exist here."""
    event = json.loads((EVENTS / f"{name}.json").read_text())
    if gateway is not None:
        event["headers"]["authorization"] = f"Bearer {gateway['OPENAI_API_KEY']}"
    if model is not None and "body" in event:
        event["body"] = json.dumps({**json.loads(event["body"]), "model": model})
    return event


@pytest.fixture
def answer(invoke, tmp_path):
    """Status and body of the gateway's answer to an event."""

    def run(event):
        file = tmp_path / "event.json"
        file.write_text(json.dumps(event))
        output = invoke("GatewayFunction", file).strip(b"\n")
        if PRELUDE_END in output:
            prelude, body = output.split(PRELUDE_END, 1)
            return json.loads(prelude)["statusCode"], body.decode()
        answer = json.loads(output)
        return answer["statusCode"], answer["body"]

    return run


def test_a_chat_from_a_function_url_is_answered(answer, gateway, model):
    status, body = answer(sample("function_url_chat", gateway, model))
    assert status == 200
    assert json.loads(body)["choices"][0]["message"]["content"]


def test_a_streamed_chat_from_a_function_url_ends_as_it_should(answer, gateway, model):
    status, body = answer(sample("function_url_chat_stream", gateway, model))
    assert status == 200
    events = [line.removeprefix("data: ") for line in body.splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    assert any(choice["delta"].get("content") for event in events[:-1] for choice in json.loads(event)["choices"])


def test_models_from_a_function_url_are_listed(answer, gateway, model):
    status, body = answer(sample("function_url_models", gateway))
    assert status == 200
    assert model in [entry["id"] for entry in json.loads(body)["data"]]


def test_a_chat_from_an_http_api_is_answered_in_the_ordinary_form(invoke, gateway, model, tmp_path):
    file = tmp_path / "event.json"
    file.write_text(json.dumps(sample("http_api_chat", gateway, model)))
    answer = json.loads(invoke("GatewayFunction", file))
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["choices"][0]["message"]["content"]


def test_the_key_in_the_sample_events_opens_nothing(answer):
    status, body = answer(sample("function_url_models"))
    assert status == 401
    assert json.loads(body)["error"]["code"] == "invalid_api_key"


def test_the_scheduled_job_runs_on_the_schedulers_event(invoke):
    result = json.loads(invoke("RefreshPointsFunction", "events/schedule_refresh.json"))
    assert isinstance(result, dict)
    assert "errorType" not in result
