"""What is put right in an event before Mangum reads it. Through `build_request`: `test_events`."""

import json

import pytest

from streaming_runtime.event_repairs import repair


@pytest.mark.parametrize(
    ("path", "stage", "expected"),
    [
        ("/prod/items", "prod", "/items"),
        ("/prod/prod/items", "prod", "/prod/items"),
        ("/prod", "prod", "/"),
        ("/prod/", "prod", "/"),
        ("/production/items", "prod", "/production/items"),
        ("/items", "prod", "/items"),
        ("/$default/items", "$default", "/$default/items"),
        ("/items", None, "/items"),
        ("/caf%C3%A9/prod", "caf%C3%A9", "/prod"),
    ],
)
def test_the_stage_is_taken_off_where_it_is_a_part_of_its_own(path: str, stage: str | None, expected: str):
    context = {"stage": stage, "http": {"method": "GET", "path": path}}
    event = {"version": "2.0", "rawPath": path, "requestContext": context}
    before = json.dumps(event)
    repaired, host = repair(event)
    assert repaired["requestContext"]["http"]["path"] == expected and host is None
    assert json.dumps(event) == before, "the application gets the event as it came"
    repaired, _ = repair({"version": "1.0", "path": path, "requestContext": {"stage": stage}})
    assert repaired["path"] == expected


def test_a_rest_apis_path_never_has_the_stage():
    event = {"resource": "/{proxy+}", "path": "/prod/items", "requestContext": {"stage": "prod"}}
    assert repair(event) == (event, None)


@pytest.mark.parametrize("stage", ["", 7, None])
def test_a_stage_that_is_no_name_is_left_alone(stage: object):
    repaired, _ = repair({"version": "1.0", "path": "/7/items", "requestContext": {"stage": stage}})
    assert repaired["path"] == "/7/items"


def test_a_host_that_mangum_cannot_split_is_kept_aside():
    event = {"version": "2.0", "headers": {"Host": "[::1]:8000"}, "requestContext": {}}
    repaired, host = repair(event)
    assert repaired["headers"]["host"] == "localhost" and host == b"[::1]:8000"
