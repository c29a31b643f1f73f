"""The page of settings: it matches the code, and the code's every setting is explained."""

import dataclasses
import importlib.util
import re
import sys
from pathlib import Path

import pytest

from scripts.generated_page import with_tables

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/configuration.py"
NAME = re.compile(r"\b(?:GATEWAY|STREAMING_RUNTIME)_[A-Z][A-Z_]*[A-Z]\b")
# Variables with our prefixes that are for other programs than the functions: the shell that `make run` serves.
OTHERS = {
    "GATEWAY_URL": "the base URL, in run.env and in the README",
    "GATEWAY_CONFIG_FILE": "the original's, in the page for people who come from there",
    "GATEWAY_BASE_URL": "its name in the original, which the scripts with the original's names read",
}


@pytest.fixture(scope="module")
def configuration():
    specification = importlib.util.spec_from_file_location("configuration", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    sys.modules["configuration"] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    yield module
    del sys.modules["configuration"]


@pytest.fixture(scope="module")
def found(configuration):
    sources = (*configuration.SOURCES, configuration.RUNTIME, configuration.LOCAL)
    return {variable.name: variable for source in sources for variable in configuration.variables(source)}


def test_the_page_is_up_to_date(configuration):
    page = configuration.PAGE.read_text(encoding="utf-8")
    assert with_tables(page, configuration.tables()) == page, "run `make docs`"


def test_every_setting_is_explained(found):
    assert [name for name, variable in found.items() if not variable.meaning] == []
    assert len(found) > 30


def test_what_is_allowed_is_what_the_error_says(found):
    """Taken from the refusal itself, so that the page can't say anything else."""
    assert found["GATEWAY_MAX_ATTEMPTS"].allowed == "an integer from 1 to 10"
    assert found["GATEWAY_STORE"].allowed == "one of dynamodb, memory"
    assert found["STREAMING_RUNTIME_SHUTDOWN_MS"].allowed == "a whole number of milliseconds from 0 to 10000"
    assert found["PORT"].allowed == "a whole number from 0 to 65535"


def test_defaults_and_units_are_those_of_the_variable(found):
    assert found["GATEWAY_TABLE"].default == "required"
    assert found["GATEWAY_LEASE_TTL_SECONDS"].default == "`90`"
    assert found["STREAMING_RUNTIME_DEADLINE_MARGIN_MS"].default == "`1500`"
    assert found["STATE"].default == "`.local`"


def test_every_variable_that_is_named_somewhere_exists(found):
    """In the documentation, the template, the example of `.env` and the makefile."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "template.yaml", ROOT / "Makefile"]
    unknown = {}
    for page in [*pages, ROOT / ".env.example", ROOT / "samconfig.toml"]:
        names = set(NAME.findall(page.read_text(encoding="utf-8"))) - found.keys() - OTHERS.keys()
        # A beginning of names (`GATEWAY_POE_…`) is one of several.
        names = {name for name in names if not any(known.startswith(f"{name}_") for known in found)}
        if names and page.name != "CHANGELOG.md":
            unknown[page.name] = sorted(names)
    assert unknown == {}


def test_a_text_below_an_attribute_or_a_comment_above_it_is_its_meaning(configuration):
    source = '''
class Settings:
    """Not this one."""

    # One thing
    # in two lines.
    first: int = 1
    second: int = 2
    """Another
    thing."""
    third: int = 3
'''
    assert configuration.meanings(source, "Settings") == {
        "first": "One thing in two lines.",
        "second": "Another thing.",
        "third": "",
    }


def test_the_stack_says_how_it_sets_a_variable(configuration):
    template = """
Parameters: {LogLevel: {Type: String, Default: INFO}}
Globals: {Function: {Environment: {Variables: {A: !Ref LogLevel, B: !GetAtt Key.Arn}}}}
Resources: {One: {Properties: {Environment: {Variables: {C: "on", D: !Ref Table}}}}, Key: {}}
"""
    assert configuration.stack_variables(template) == {
        "A": "parameter `LogLevel`, `INFO` unless set",
        "B": "the stack's own `Key`",
        "C": "`on`",
        "D": "the stack's own `Table`",
    }


def test_a_page_without_a_place_for_a_table_is_refused(configuration):
    with pytest.raises(SystemExit, match="exactly one place"):
        with_tables("# Nothing\n", {"run": "| |\n"})


def test_functions_that_disagree_about_a_variable_are_refused(configuration, monkeypatch):
    gateway, job = configuration.SOURCES
    ask = configuration.variables
    changed = {job.title: [dataclasses.replace(item, default="`other`") for item in ask(job)]}
    monkeypatch.setattr(configuration, "variables", lambda source: changed.get(source.title) or ask(source))
    with pytest.raises(SystemExit, match="differs between the functions"):
        configuration.tables()
    assert gateway.title == "gateway"
