"""A chat through the built artefacts in a container, from an OpenAI SDK to the stand-in for Poe.

The emulator hands every answer over in one piece, so nothing here says how it streams.
"""

import httpx
import openai
import pytest

pytestmark = pytest.mark.sam

MESSAGES = [{"role": "user", "content": "Say something."}]


@pytest.fixture
def client(api, gateway):
    with openai.OpenAI(
        base_url=f"{api}/v1",
        api_key=gateway["OPENAI_API_KEY"],
        max_retries=0,
        timeout=120,
        _strict_response_validation=True,
    ) as client:
        yield client


def test_a_chat_is_answered(client, model):
    answer = client.chat.completions.create(model=model, messages=MESSAGES)
    assert answer.model == model
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.content


def test_a_streamed_chat_has_its_chunks_its_end_and_its_usage(client, model):
    stream = client.chat.completions.create(
        model=model, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == ["stop"]
    assert chunks[-1].usage is not None


def test_the_models_are_listed(client, model):
    assert model in [entry.id for entry in client.models.list()]


def test_a_wrong_key_is_refused_in_openais_envelope(api, gateway):
    answer = httpx.get(f"{api}/v1/models", headers={"authorization": "Bearer sk-wrong"}, timeout=60)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
