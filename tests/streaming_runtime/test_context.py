"""The context object."""

import dataclasses

from streaming_runtime.context import build_context
from streaming_runtime.runtime_api import Invocation
from streaming_runtime.settings import FunctionIdentity

FUNCTION = FunctionIdentity("gateway", "7", 256, "/aws/lambda/gateway", "stream")


def test_it_has_the_documented_attributes():
    context = build_context(Invocation("id-1", 1000, b"", "arn:aws:lambda:x"), FUNCTION)
    assert context.function_name == "gateway" and context.function_version == "7"
    assert context.memory_limit_in_mb == 256 and context.aws_request_id == "id-1"
    assert context.invoked_function_arn == "arn:aws:lambda:x"
    assert context.log_group_name == "/aws/lambda/gateway" and context.log_stream_name == "stream"
    assert context.identity.cognito_identity_id is None and context.client_context is None


def test_the_remaining_time_shrinks_and_never_is_negative():
    context = build_context(Invocation("id-1", 10_000, b""), FUNCTION)
    at = {"now": 7.5}
    context = dataclasses.replace(context, clock=lambda: at["now"])
    assert context.get_remaining_time_in_millis() == 2500
    at["now"] = 11
    assert context.get_remaining_time_in_millis() == 0


def test_mobile_sdks_headers_are_parsed():
    context = build_context(
        Invocation(
            "id-1",
            1,
            b"",
            client_context='{"client": {"app_title": "t"}, "custom": {"a": 1}, "env": null}',
            cognito_identity='{"cognitoIdentityId": "i", "cognitoIdentityPoolId": "p"}',
        ),
        FUNCTION,
    )
    assert context.client_context is not None
    assert context.client_context.client == {"app_title": "t"} and context.client_context.custom == {"a": 1}
    assert context.client_context.env == {}
    assert (context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id) == ("i", "p")


def test_garbage_in_these_headers_counts_as_absent():
    context = build_context(Invocation("id-1", 1, b"", client_context="[1]", cognito_identity="{"), FUNCTION)
    assert context.client_context is None and context.identity.cognito_identity_id is None
