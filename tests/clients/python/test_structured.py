"""Answers in JSON. The simulated service answers as it is told, so these show that the format is accepted."""

import json

import pytest
from conftest import MODEL
from pydantic import BaseModel

PARIS = {"name": "Paris", "inhabitants": 2100000}


class City(BaseModel):
    name: str
    inhabitants: int


def question(answer):
    return [{"role": "user", "content": f"sim:echo {json.dumps(answer)}"}]


def test_an_answer_is_parsed(client):
    answer = client.chat.completions.parse(
        model=MODEL, messages=question(PARIS), response_format=City
    )
    assert answer.choices[0].message.parsed == City(**PARIS)


def test_a_stream_is_parsed(client):
    with client.chat.completions.stream(
        model=MODEL, messages=question(PARIS), response_format=City
    ) as stream:
        answer = stream.get_final_completion()
    assert answer.choices[0].message.parsed == City(**PARIS)


@pytest.mark.parametrize("kind", ["text", "json_object"])
def test_a_format_without_a_schema_is_taken(ask, kind):
    said = ask(f"sim:echo {json.dumps(PARIS)}", response_format={"type": kind})
    assert json.loads(said.choices[0].message.content) == PARIS
