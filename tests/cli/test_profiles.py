"""Where addresses and keys are kept, and which one counts."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from poegw.errors import CommandError, Exit
from poegw.profiles import Profiles, config_path, find_target


@pytest.fixture
def profiles(tmp_path: Path) -> Profiles:
    return Profiles(tmp_path / "config" / "profiles.json")


def test_only_the_owner_can_read_the_file(profiles: Profiles) -> None:
    profiles.put("home", {"url": "https://gateway.example", "key": "secret"})
    assert stat.S_IMODE(profiles.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(profiles.path.parent.stat().st_mode) & 0o077 == 0
    assert [path.name for path in profiles.path.parent.iterdir()] == ["profiles.json"]


def test_profiles_survive(profiles: Profiles) -> None:
    profiles.put("home", {"url": "https://a.example"})
    profiles.put("work", {"url": "https://b.example"}, is_current=False)
    again = Profiles(profiles.path)
    assert (again.current, again.names(), again.get("work")) == ("home", ["home", "work"], {"url": "https://b.example"})
    again.use("work")
    again.remove("work")
    assert Profiles(profiles.path).current == "home"
    again.remove("home")
    assert Profiles(profiles.path).current is None


@pytest.mark.parametrize("text", ["", "[]", '{"profiles": 1}', '{"profiles": {"a": {}}}', "{"])
def test_a_damaged_file_is_named_and_not_overwritten(profiles: Profiles, text: str) -> None:
    profiles.path.parent.mkdir()
    profiles.path.write_text(text)
    with pytest.raises(CommandError, match="can't be read as profiles"):
        profiles.put("home", {"url": "https://a.example"})
    assert profiles.path.read_text() == text


def test_flag_before_environment_before_profile(profiles: Profiles) -> None:
    profiles.put("home", {"url": "https://profile.example", "key": "profile-key"})
    profiles.put("work", {"url": "https://work.example", "key": "work-key"}, is_current=False)
    environ = {"GATEWAY_URL": "https://environment.example", "GATEWAY_ADMIN_KEY": "environment-key"}

    def target(
        url: str | None = None, name: str | None = None, environ: dict[str, str] = environ
    ) -> tuple[str, str | None]:
        found = find_target(profiles, url=url, name=name, environ=environ)
        return found.url, found.key

    assert target(url="https://flag.example") == ("https://flag.example", "environment-key")
    assert target(name="work") == ("https://work.example", "work-key")
    assert target() == ("https://environment.example", "environment-key")
    assert target(environ={}) == ("https://profile.example", "profile-key")
    assert target(environ={"POEGW_PROFILE": "work"}) == ("https://work.example", "work-key")


def test_the_variables_of_a_local_run_are_login_enough(profiles: Profiles) -> None:
    environ = {"OPENAI_BASE_URL": "http://127.0.0.1:8080/v1", "OPENAI_API_KEY": "k", "GATEWAY_ADMIN_KEY": "admin"}
    found = find_target(profiles, url=None, name=None, environ=environ)
    assert (found.url, found.key) == ("http://127.0.0.1:8080/v1", "admin")


def test_an_openai_address_alone_is_no_gateway(profiles: Profiles) -> None:
    with pytest.raises(CommandError) as caught:
        find_target(profiles, url=None, name=None, environ={"OPENAI_BASE_URL": "https://api.openai.com/v1"})
    assert caught.value.status == Exit.NOT_LOGGED_IN
    assert "poegw login" in str(caught.value.hint)


def test_an_unknown_profile_is_told_with_those_that_there_are(profiles: Profiles) -> None:
    profiles.put("home", {"url": "https://a.example"})
    with pytest.raises(CommandError) as caught:
        find_target(profiles, url=None, name="hone", environ={})
    assert "home" in str(caught.value.hint)


def test_the_file_can_be_named() -> None:
    assert config_path({"POEGW_CONFIG": "/somewhere/p.json"}) == Path("/somewhere/p.json")
    assert config_path({}).name == "profiles.json"
