"""What `_HANDLER` may name."""

import sys
from pathlib import Path

import pytest
from mangum import Mangum

from streaming_runtime.errors import InitError
from streaming_runtime.handler import extend_search_path, load_handler

pytestmark = pytest.mark.usefixtures("current_loop")

SOURCE = """
import functools
from mangum import Mangum

async def app(scope, receive, send): ...

class WithCall:
    async def __call__(self, scope, receive, send): ...

class Old:
    def __init__(self, scope): ...

instance = WithCall()
partial = functools.partial(lambda extra, scope, receive, send: None, 1)
handler = Mangum(app, lifespan="off", exclude_headers=["X-Internal"])
def plain(event, context): ...
text = "app"
"""


@pytest.fixture(autouse=True)
def task_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path, with a module of many attributes."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "sample_handlers.py").write_text(SOURCE)
    for name, source in {
        "broken_syntax": "def",
        "broken_import": "import no_such_module_anywhere",
        "broken_setting": "raise ValueError('GATEWAY_X=7 must be one of a, b')",
        "broken_exit": "raise SystemExit(3)",
    }.items():
        (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize("attribute", ["app", "instance", "partial"])
def test_an_asgi_application_is_wrapped(attribute: str):
    mangum = load_handler(f"package.sample_handlers.{attribute}")
    assert isinstance(mangum, Mangum) and mangum.lifespan == "auto"
    assert mangum.app is getattr(sys.modules["package.sample_handlers"], attribute)


@pytest.mark.parametrize("name", ["package.sample_handlers.handler", "package/sample_handlers.handler"])
def test_a_mangum_instance_is_taken_with_its_settings(name: str):
    mangum = load_handler(name)
    assert mangum.lifespan == "off" and mangum.config["exclude_headers"] == ["x-internal"]


@pytest.mark.parametrize(
    ("name", "error_type", "text"),
    [
        ("", "Runtime.MalformedHandlerName", "_HANDLER=''"),
        ("app", "Runtime.MalformedHandlerName", "module.attribute"),
        ("app.", "Runtime.MalformedHandlerName", "module.attribute"),
        ("no_such_module.app", "Runtime.ImportModuleError", "no_such_module"),
        ("broken_import.app", "Runtime.ImportModuleError", "no_such_module_anywhere"),
        ("broken_syntax.app", "Runtime.UserCodeSyntaxError", "broken_syntax"),
        ("sys.app", "Runtime.BuiltInModuleConflict", "built-in module sys"),
        ("broken_exit.app", "Runtime.ExitError", "3"),
        ("package.sample_handlers.missing", "Runtime.HandlerNotFound", "'missing'"),
        ("package.sample_handlers.plain", "Runtime.HandlerNotAsgi", "unset AWS_LAMBDA_EXEC_WRAPPER"),
        ("package.sample_handlers.text", "Runtime.HandlerNotAsgi", "a str"),
        ("package.sample_handlers.Old", "Runtime.HandlerNotAsgi", "a type"),
    ],
)
def test_anything_else_is_an_init_error_that_says_why(name: str, error_type: str, text: str):
    with pytest.raises(InitError) as caught:
        load_handler(name)
    assert caught.value.error_type == error_type and text in str(caught.value)


def test_what_else_a_module_raises_is_its_own():
    with pytest.raises(ValueError, match="GATEWAY_X=7 must be one of"):
        load_handler("broken_setting.app")


def test_the_functions_code_comes_before_layers_and_awss_own_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "path", ["/usr/lib/python", str(tmp_path)])
    extend_search_path(tmp_path, Path("/var/runtime"))
    assert sys.path[0] == str(tmp_path) and sys.path[-2:] == ["/var/runtime", "/usr/lib/python"]
    assert len(sys.path) == len(set(sys.path))
