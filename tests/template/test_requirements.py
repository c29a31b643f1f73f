"""Each artefact carries locked wheels, at the versions that the tests ran with, and nothing twice."""

import re

import pytest

LAYERS = ["layers/reverse", "layers/streaming_runtime"]
FUNCTIONS = ["functions/gateway", "functions/refresh_points"]
LOCKS = [f"{folder}/requirements.txt" for folder in LAYERS + FUNCTIONS]


def pins(text):
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==([^\s;]+)", text, re.M))


@pytest.mark.parametrize(
    "lock",
    [
        *LOCKS,
        "layers/streaming_runtime/requirements-test.txt",
        "requirements/run.txt",
        "requirements/test.txt",
        "requirements/bench-litellm.txt",
    ],
)
def test_every_package_is_pinned_by_hash_and_no_index_is_named(root, lock):
    text = (root / lock).read_text()
    entries = [entry for entry in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.M) if re.match(r"[A-Za-z0-9]", entry)]
    assert entries
    assert all("==" in entry.split()[0] and "--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|file:", text)


@pytest.mark.parametrize("lock", LOCKS)
def test_an_artefact_runs_on_the_versions_that_were_tested(root, lock):
    tested = pins((root / "requirements/run.txt").read_text())
    carried = pins((root / lock).read_text())
    assert carried == {name: tested[name] for name in carried}


@pytest.mark.parametrize("folder", LAYERS + FUNCTIONS)
def test_what_is_asked_for_is_locked(root, folder):
    asked = re.findall(r"^[a-z][a-z0-9-]*", (root / folder / "requirements.in").read_text(), re.M)
    assert asked
    assert set(asked) <= set(pins((root / folder / "requirements.txt").read_text()))


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_a_function_carries_nothing_that_its_layers_carry(root, folder):
    layers = {name for layer in LAYERS for name in pins((root / layer / "requirements.txt").read_text())}
    assert not layers & set(pins((root / folder / "requirements.txt").read_text()))
