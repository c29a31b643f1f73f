from __future__ import annotations

from pathlib import Path

import pytest

from local import functions
from local.function_url import InvokeMode
from local.template import Template, TemplateError

REFERENCES = {
    "AccountsTable": "table",
    "AccountsTable.Arn": "arn:table",
    "CredentialsKey.Arn": "arn:key",
    "AdminSecret": "arn:secret",
}


@pytest.fixture
def template() -> Template:
    return Template.load(Path("template.yaml"), REFERENCES)


def small(tmp_path: Path, text: str) -> Template:
    path = tmp_path / "template.yaml"
    path.write_text(text)
    return Template.load(path, {"Thing.Arn": "arn"})


def test_intrinsic_functions_are_resolved(tmp_path):
    template = small(
        tmp_path,
        """
        Parameters:
          Size: { Type: Number, Default: 5 }
          Names: { Type: CommaDelimitedList, Default: "a, b" }
        Conditions:
          Big: !Equals [!Ref Size, 5]
          Small: !Not [!Equals [!Ref Size, 5]]
        Resources:
          One:
            Type: X
            Properties:
              A: !Sub "${Size}-${Thing.Arn}"
              B: !If [Big, yes!, no!]
              C: !If [Small, 1, !Ref AWS::NoValue]
              D: !Ref Names
              E: !GetAtt Thing.Arn
        """,
    )
    assert template.resolve(template.resources("X")["One"]) == {"A": "5-arn", "B": "yes!", "D": ["a", "b"], "E": "arn"}


def test_what_is_not_known_is_an_error_that_names_it(tmp_path):
    template = small(tmp_path, "Resources: { One: { Type: X, Properties: { A: !Ref Nobody } } }")
    with pytest.raises(TemplateError, match="Nobody"):
        template.resolve(template.resources("X"))


def test_the_gateway_is_what_the_template_says(template, tmp_path):
    function = functions.gateway_function(
        template, stand_ins={"AWS_ENDPOINT_URL": "http://x"}, overrides={"GATEWAY_LOG_LEVEL": "debug"}, log=None
    )
    assert function.handler == "gateway.asgi.handler"
    assert Path(function.command[0]).name == "streaming-runtime"
    assert function.invoke_mode is InvokeMode.RESPONSE_STREAM
    assert function.cors is not None
    assert list(function.cors.allow_origins) == ["*"]
    wanted = "authorization,x-api-key,content-type,x-stainless-lang,traceparent,x-anything"
    asked = {"origin": "https://a.example", "access-control-request-method": "POST"}
    answer = dict(function.cors.preflight("OPTIONS", asked | {"access-control-request-headers": wanted}) or ())
    assert answer["Access-Control-Allow-Headers"] == wanted
    assert function.environment["GATEWAY_TABLE"] == "table"
    assert function.environment["GATEWAY_LOG_LEVEL"] == "debug"
    assert function.environment["AWS_ENDPOINT_URL"] == "http://x"
    assert (function.timeout_seconds, function.memory_mb) == (900, 512)


def test_the_scheduled_job_is_what_the_template_says(template):
    environment = functions.refresh_environment(template, stand_ins={}, overrides={})
    assert environment["_HANDLER"] == "refresh_points.handler.handler"
    assert environment["GATEWAY_KMS_KEY_ID"] == "arn:key"
    assert functions.schedule_seconds(template) == 600
