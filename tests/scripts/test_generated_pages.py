"""The pages whose tables come from the code match it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from poegw.deployment.cost import monthly_cost, worst_day
from scripts import admin_routes, deployment_page, original_names_page
from scripts.generated_page import with_tables

ROOT = Path(__file__).parents[2]
SCRIPTS = (admin_routes, deployment_page, original_names_page)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.PAGE.name)
def test_a_page_is_up_to_date(script):
    page = script.PAGE.read_text(encoding="utf-8")
    assert with_tables(page, script.tables()) == page, "run `make docs`"


def test_every_route_of_the_administration_is_there():
    document = admin_routes.create_application().openapi()
    page = admin_routes.PAGE.read_text(encoding="utf-8")
    routes = [(method, path) for path, found in document["paths"].items() for method in found if "/admin" in path]
    assert len(routes) > 15
    assert [route for route in routes if f"`{route[0].upper()} {route[1]}`" not in page] == []


def test_every_shape_that_is_linked_is_there():
    page = admin_routes.PAGE.read_text(encoding="utf-8")
    headings = {heading.lower() for heading in re.findall(r"^### (\w+)$", page, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([a-z]+)\)", page)) <= headings


def test_inherited_fields_have_their_meaning(tmp_path, monkeypatch):
    base = 'class Base(BaseModel):\n    one: int\n    """First."""\n'
    source = base + '\n\nclass More(Base):\n    two: int\n    """Second."""\n'
    (tmp_path / "shapes.py").write_text(source)
    monkeypatch.setattr(admin_routes, "SOURCES", tmp_path)
    assert admin_routes._meanings("More") == {"one": "First.", "two": "Second."}


def test_every_parameter_and_output_of_the_template_is_there():
    template = yaml.load((ROOT / "template.yaml").read_text(encoding="utf-8"), deployment_page._Loader)
    page = deployment_page.PAGE.read_text(encoding="utf-8")
    assert len(template["Parameters"]) > 10
    assert [name for name in (*template["Parameters"], *template["Outputs"]) if f"| `{name}` |" not in page] == []


def test_the_cost_of_no_chats_is_what_the_readme_says():
    """The key and the secret, and cents for the job."""
    idle = monthly_cost(0)
    assert idle.fixed == pytest.approx(1.40)
    assert idle.total - idle.fixed < 0.10


def test_the_worst_day_of_the_default_cap_is_on_the_page():
    assert f"| 10 | ${worst_day(10):,.2f} |" in deployment_page.PAGE.read_text(encoding="utf-8")
