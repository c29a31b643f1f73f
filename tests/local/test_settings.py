from __future__ import annotations

from pathlib import Path

import pytest

from local.settings import RUN_MARK, RunSettings, SettingsError, Upstream, read_env_file


def test_everything_has_a_default(tmp_path):
    settings = RunSettings.from_env({}, tmp_path / "none")
    assert (settings.host, settings.port, settings.upstream, settings.sandboxes) == (
        "127.0.0.1",
        8000,
        Upstream.SIMULATOR,
        4,
    )
    assert settings.run_file.parts[-2:] == (".local", "run.env")


def test_the_environment_wins_over_the_file_and_empty_variables_do_not_count(tmp_path):
    file = tmp_path / ".env"
    file.write_text("PORT=9001\nSANDBOXES=2\nexport UPSTREAM='live' # mine\n\n# HOST=::\nGATEWAY_PROXY=http://a:1\n")
    settings = RunSettings.from_env({"PORT": "9002", "SANDBOXES": "", "STATE": str(tmp_path)}, file)
    assert (settings.port, settings.sandboxes, settings.upstream) == (9002, 2, Upstream.LIVE)
    assert settings.upstream_state == tmp_path / "live"


def test_the_functions_get_their_own_variables_and_no_others(tmp_path):
    environ = {"GATEWAY_ADMIN_KEY": "a" * 16, "STREAMING_RUNTIME_X": "1", "SSL_CERT_FILE": "/c", "HOME": "/h"}
    settings = RunSettings.from_env(environ, None)
    assert set(settings.function_variables) == {"GATEWAY_ADMIN_KEY", "STREAMING_RUNTIME_X", "SSL_CERT_FILE"}
    assert "a" * 16 not in repr(settings)


def test_a_shell_that_knows_another_run_can_start_one(tmp_path):
    """What `run.env` sets names that run's stand-ins, which may be gone."""
    of_that_run = {"GATEWAY_TABLE": "t", "GATEWAY_KMS_KEY_ID": "k", "GATEWAY_POE_WEB_BASE_URL": "http://127.0.0.1:1"}
    own = {"GATEWAY_LOG_LEVEL": "debug", "GATEWAY_PROXY": "http://a:1"}
    settings = RunSettings.from_env({RUN_MARK: "http://127.0.0.1:8000", **of_that_run, **own}, None)
    assert settings.function_variables == own
    assert RunSettings.from_env({**of_that_run, **own}, None).function_variables == of_that_run | own


def test_a_shell_that_knows_another_run_does_not_override_the_file(tmp_path):
    file = tmp_path / ".env"
    file.write_text(f"GATEWAY_ADMIN_KEY={'f' * 16}\n")
    environ = {RUN_MARK: "http://127.0.0.1:8000", "GATEWAY_ADMIN_KEY": "r" * 16}
    assert RunSettings.from_env(environ, file).function_variables == {"GATEWAY_ADMIN_KEY": "f" * 16}


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"PORT": "http"}, "PORT='http' is not allowed; it must be a whole number from 0 to 65535"),
        ({"PORT": "70000"}, "from 0 to 65535"),
        ({"SANDBOXES": "0"}, "SANDBOXES='0' is not allowed; it must be a whole number from 1 to 100"),
        ({"UPSTREAM": "poe"}, "UPSTREAM='poe' is not allowed; it must be one of simulator, live"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(environ, said):
    with pytest.raises(SettingsError, match="^" + said.replace("[", r"\[") if said[0] in "PSU" else said):
        RunSettings.from_env(environ, None)


@pytest.mark.parametrize("line", ["novalue", "1A=2", "A='open"])
def test_a_bad_line_of_the_file_is_named_by_number_without_its_text(tmp_path, line):
    file = tmp_path / ".env"
    file.write_text(f"A=1\n{line}\n")
    with pytest.raises(SettingsError, match="line 2") as caught:
        read_env_file(file)
    assert line not in str(caught.value)


def test_the_template_file_is_one_that_can_be_read():
    assert read_env_file(Path(".env.example")) == {}
    uncommented = [line[1:] for line in Path(".env.example").read_text().splitlines() if line[:1] == "#" != line[1:2]]
    names = {line.partition("=")[0] for line in uncommented if "=" in line and " " not in line.partition("=")[0]}
    assert {"PORT", "HOST", "UPSTREAM", "SANDBOXES", "STATE", "GATEWAY_ADMIN_KEY"} <= names
