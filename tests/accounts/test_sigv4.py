"""The signature, against botocore's own signer."""

from __future__ import annotations

import time

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts._sigv4 import AwsCredentials, sign_headers

TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


@settings(deadline=None)
@given(
    key_id=TEXT,
    secret=TEXT,
    token=st.none() | TEXT,
    region=st.sampled_from(["eu-central-1", "us-east-1", "cn-north-1"]),
    service=st.sampled_from(["dynamodb", "kms"]),
    body=st.binary(max_size=200),
)
def test_signs_as_botocore_does(key_id, secret, token, region, service, body) -> None:
    host = f"{service}.{region}.amazonaws.com"
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "Some_20120810.GetItem"}
    ours = sign_headers(
        credentials=AwsCredentials(key_id, secret, token),
        region=region,
        service=service,
        host=host,
        headers=headers,
        body=body,
        now=time.time(),
    )
    moment = ours["x-amz-date"]
    request = AWSRequest("POST", f"https://{host}/", headers={**headers, "host": host}, data=body)
    signer = SigV4Auth(Credentials(key_id, secret, token), service, region)
    # The signer's own steps, with our moment in place of the clock.
    request.context["timestamp"] = moment
    request.headers["X-Amz-Date"] = moment
    if token is not None:
        request.headers["X-Amz-Security-Token"] = token
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    assert ours["authorization"].endswith(f"Signature={signature}")
    assert signer.scope(request) in ours["authorization"]
    assert f"SignedHeaders={signer.signed_headers(signer.headers_to_sign(request))}," in ours["authorization"]


def test_the_day_of_the_key_follows_the_clock() -> None:
    def signature(now: float) -> str:
        return sign_headers(
            credentials=AwsCredentials("id", "secret"),
            region="eu-central-1",
            service="kms",
            host="h",
            headers={},
            body=b"",
            now=now,
        )["authorization"]

    assert "/19700101/" in signature(0)
    assert "/19700102/" in signature(86_400)
    assert signature(0) != signature(86_400)


def test_credentials_do_not_show_secrets() -> None:
    shown = repr(AwsCredentials("AKIA", "hush-secret", "hush-token"))
    assert "hush" not in shown


@pytest.mark.parametrize("token", [None, "t"])
def test_a_token_is_sent_and_signed_only_if_there_is_one(token: str | None) -> None:
    headers = sign_headers(
        credentials=AwsCredentials("id", "secret", token),
        region="r",
        service="kms",
        host="h",
        headers={},
        body=b"",
        now=0,
    )
    assert ("x-amz-security-token" in headers) == (token is not None)
    assert ("x-amz-security-token" in headers["authorization"]) == (token is not None)
