"""The named environments: complete, distinct, and free of secrets."""

import re
import tomllib

import pytest

ENVIRONMENTS = ["default", "dev", "prod"]


@pytest.fixture(scope="module")
def config(root):
    return tomllib.loads((root / "samconfig.toml").read_text())


def overrides(environment):
    return dict(pair.split("=", 1) for pair in environment["global"]["parameters"]["parameter_overrides"])


def test_there_are_the_three_environments_each_with_every_command(config):
    assert [name for name in config if name != "version"] == ENVIRONMENTS
    assert {frozenset(config[name]) for name in ENVIRONMENTS} == {frozenset({"global", "validate", "build", "deploy"})}


def test_no_environment_deploys_over_another(config):
    names = [config[name]["global"]["parameters"]["stack_name"] for name in ENVIRONMENTS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_override_is_a_parameter_with_an_allowed_value(config, template, name):
    for parameter, value in overrides(config[name]).items():
        allowed = template["Parameters"][parameter].get("AllowedValues")
        assert allowed is None or value in [str(choice) for choice in allowed]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_builds_are_never_cached(config, name):
    """A lock file lies outside the ContentUri that a cached build looks at."""
    assert config[name]["build"]["parameters"]["cached"] is False


def test_there_is_no_secret_in_it(root):
    text = (root / "samconfig.toml").read_text()
    assert not re.search(r"sk-|AKIA|password|cookie|[0-9]{12}|profile", text, re.I)
