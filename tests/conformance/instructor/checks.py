"""instructor, as published: objects of a given form from OpenAI's chat and Responses API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import instructor
import openai
from instructor import Mode
from pydantic import BaseModel
from reporting import API_KEY, BASE, announce, check

announce("instructor")

ADA = '{"name": "Ada", "age": 36}'


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int


def client(mode: Mode) -> Any:
    return instructor.from_openai(openai.OpenAI(base_url=BASE, api_key=API_KEY, max_retries=0, timeout=30), mode=mode)


def ask(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "Assistant", "messages": [{"role": "user", "content": text}], "max_retries": 0, **more}


for mode in (Mode.TOOLS, Mode.TOOLS_STRICT):

    @check(f"{mode.value}: an object")
    def _(mode: Mode = mode) -> None:
        found = client(mode).chat.completions.create(response_model=Person, **ask(f"[[call: Person {ADA}]]"))
        assert (found.name, found.age) == ("Ada", 36)


@check("JSON schema: an object, whole and with its answer")
def _() -> None:
    asking = client(Mode.JSON_SCHEMA).chat.completions
    found = asking.create(response_model=Person, **ask(f"[[say: {ADA}]]"))
    assert (found.name, found.age) == ("Ada", 36)
    found, answer = asking.create_with_completion(response_model=Person, **ask(f"[[say: {ADA}]]"))
    assert found.age == 36 and answer.usage.total_tokens > 0


@check("JSON in Markdown")
def _() -> None:
    said = f"[[say: ```json\n{ADA}\n```]]"
    assert client(Mode.MD_JSON).chat.completions.create(response_model=Person, **ask(said)).age == 36


@check("an object that grows")
def _() -> None:
    grown = list(client(Mode.TOOLS).chat.completions.create_partial(Person, **ask(f"[[call: Person {ADA}]]")))
    assert (grown[-1].name, grown[-1].age) == ("Ada", 36)


@check("several objects")
def _() -> None:
    asked = ask(f"[[call: Person {ADA}]]")
    found: Iterable[Person] = client(Mode.TOOLS).chat.completions.create_iterable(response_model=Person, **asked)
    assert [person.name for person in found] == ["Ada"]


@check("the Responses API")
def _() -> None:
    asked = ask(f"[[call: Person {ADA}]]")
    assert client(Mode.RESPONSES_TOOLS).chat.completions.create(response_model=Person, **asked).age == 36


@check("an error in its words")
def _() -> None:
    try:
        client(Mode.TOOLS).chat.completions.create(response_model=Person, **ask("Hi", model="No-Such-Bot"))
    except Exception as error:  # noqa: BLE001 - of which type depends on its version
        assert "404" in str(error), error
    else:
        raise AssertionError("an unknown model answered")
