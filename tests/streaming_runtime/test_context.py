"""The context object. What AWS's own client does with the same headers: `test_beside_awss_client`."""

import pytest

from streaming_runtime.context import LONGEST_MS, LambdaContext
from streaming_runtime.runtime_api import Invocation
from streaming_runtime.settings import FunctionIdentity

FUNCTION = FunctionIdentity("gateway", "7", "256", "/aws/lambda/gateway", "stream")


def test_it_has_the_documented_attributes():
    context = LambdaContext(Invocation("id-1", 1000, b"", "arn:aws:lambda:x", tenant_id="tenant-1"), FUNCTION)
    assert context.function_name == "gateway" and context.function_version == "7"
    assert context.memory_limit_in_mb == "256" and context.aws_request_id == "id-1"
    assert context.invoked_function_arn == "arn:aws:lambda:x" and context.tenant_id == "tenant-1"
    assert context.log_group_name == "/aws/lambda/gateway" and context.log_stream_name == "stream"
    assert context.identity.cognito_identity_id is None and context.client_context is None


def test_attributes_can_be_set_and_added():
    context = LambdaContext(Invocation("id-1", 1000, b""), FUNCTION)
    context.function_name, context.user = "renamed", "somebody"  # type: ignore[attr-defined]
    assert context.function_name == "renamed"


def test_the_remaining_time_shrinks_and_never_is_negative():
    now = [7.5]
    context = LambdaContext(Invocation("id-1", 10_000, b""), FUNCTION, clock=lambda: now[0])
    assert context.get_remaining_time_in_millis() == 2500
    now[0] = 11
    assert context.get_remaining_time_in_millis() == 0


def test_an_unknown_deadline_is_no_reason_to_hurry():
    assert LambdaContext(Invocation("id-1", None, b""), FUNCTION).get_remaining_time_in_millis() == LONGEST_MS


def test_mobile_sdks_headers_are_attributes():
    context = LambdaContext(
        Invocation(
            "id-1",
            1,
            b"",
            client_context='{"client": {"installation_id": "i", "app_title": "t"}, "custom": {"a": 1}, "env": null}',
            cognito_identity='{"cognitoIdentityId": "i", "cognitoIdentityPoolId": "p"}',
        ),
        FUNCTION,
    )
    assert context.client_context is not None and context.client_context.client is not None
    assert context.client_context.client.installation_id == "i" and context.client_context.client.app_title == "t"
    assert context.client_context.client.app_version_code is None
    assert context.client_context.custom == {"a": 1} and context.client_context.env is None
    assert (context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id) == ("i", "p")


@pytest.mark.parametrize("garbage", ["[1]", "{", "null", "[" * 100_000])
def test_garbage_in_these_headers_counts_as_absent(garbage: str):
    context = LambdaContext(Invocation("id-1", 1, b"", client_context=garbage, cognito_identity=garbage), FUNCTION)
    assert context.client_context is None and context.identity.cognito_identity_id is None


def test_its_repr_does_not_show_what_the_caller_sent():
    context = LambdaContext(Invocation("id-1", 1, b"", client_context='{"custom": "private"}'), FUNCTION)
    assert "id-1" in repr(context) and "private" not in repr(context)
