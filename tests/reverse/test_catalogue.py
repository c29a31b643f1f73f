"""Both sides' lists of bots as one."""

from __future__ import annotations

from reverse.catalogue import MAX_ENTRIES, folded, merge, official_entry, web_entry
from reverse.official.catalogue import parse_models
from reverse.web import BotInfo


def test_a_bot_that_nobody_says_anything_of_has_no_capabilities() -> None:
    (model,) = parse_models({"data": [{"id": "bare"}]})
    entry = official_entry(model)
    unknown = ("context_length", "pricing", "parameters", "output_modalities", "input_modalities", "reasoning")
    assert all(entry[name] is None for name in unknown)
    entry = web_entry(BotInfo("Bare"))
    assert (entry["input_modalities"], entry["parameters"], entry["pricing"]) == (None, None, None)


def test_the_webs_spelling_and_the_apis_facts_become_one_entry() -> None:
    (model,) = parse_models({"data": [{"id": "my bot", "context_length": 5, "metadata": {"display_name": "Shown"}}]})
    bot = BotInfo("My-Bot", accepts_images=True, accepts_files=False, price_points=7)
    other = BotInfo("MyBot", display_name="My bot of bots")
    merged = merge([official_entry(model)], [web_entry(bot), web_entry(other)])
    assert [entry["id"] for entry in merged] == ["My-Bot", "MyBot"]
    (mine,) = [entry for entry in merged if entry["id"] == "MyBot"]
    assert mine["context_length"] == 5
    assert mine["aliases"] == ["My bot of bots", "Shown"]
    assert merged[0]["input_modalities"] == ["image", "text"]
    assert (merged[0]["pricing"], merged[0]["points_per_message"]) == (None, 7)


def test_controls_are_found_wherever_they_are_nested() -> None:
    options = [{"name": "Wide", "value": "16:9"}, {"name": "Square", "value": "1:1"}]
    control = {"parameter_name": "aspect", "label": "Aspect", "options": options, "default_value": "1:1"}
    nested = {"sections": [{"tabs": [{"controls": [control, {"parameter_name": 5}, {"parameter_name": "aspect"}]}]}]}
    (found,) = web_entry(BotInfo("Bot", controls=nested))["parameters"]
    assert found == {
        "name": "aspect",
        "schema": {"enum": ["16:9", "1:1"]},
        "default_value": "1:1",
        "description": "Aspect",
    }
    deep: dict[str, object] = {"parameter_name": "x"}
    for _ in range(5000):
        deep = {"controls": deep}
    assert web_entry(BotInfo("Bot", controls=deep))["parameters"] == []


def test_a_list_ends_somewhere_and_names_that_are_none_are_left_out() -> None:
    strange = [{"id": ""}, {"id": 5}, {"id": "x" * 500}, {}]
    merged = merge(strange, ({"id": f"bot-{n}"} for n in range(MAX_ENTRIES + 10)))
    assert len(merged) == MAX_ENTRIES
    assert len({folded(entry["id"]) for entry in merged}) == MAX_ENTRIES
