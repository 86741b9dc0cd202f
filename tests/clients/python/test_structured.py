"""Answers in JSON."""

import json

import openai
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


def test_the_model_is_told_the_schema(client):
    answer = client.chat.completions.parse(
        model=MODEL,
        messages=[{"role": "user", "content": "How large is Paris?"}],
        response_format=City,
    )
    assert answer.choices[0].message.parsed == City(name="Paris", inhabitants=1)


@pytest.mark.parametrize("stream", [False, True])
def test_a_wrong_answer_is_repaired(client, simulator, mark, stream):
    simulator.script(mark, [{"text": "It is rather large."}], times=1)
    request = {
        "model": MODEL,
        "messages": [{"role": "user", "content": f"How large is Paris? {mark}"}],
        "response_format": City,
    }
    if stream:
        with client.chat.completions.stream(**request) as events:
            answer = events.get_final_completion()
    else:
        answer = client.chat.completions.parse(**request)
    assert isinstance(answer.choices[0].message.parsed, City)
    assert len(simulator.requests(mark)) == 2


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_stays_wrong_is_an_error(client, simulator, mark, stream):
    simulator.script(mark, [{"text": "It is rather large."}])
    with pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": f"How large is Paris? {mark}"}],
            response_format={"type": "json_object"},
            stream=stream,
        )
    assert (raised.value.status_code, raised.value.code) == (502, "structured_output_failed")
    assert raised.value.response.headers["x-should-retry"] == "false"


def test_a_stream_that_turns_out_wrong_is_an_error(client):
    with pytest.raises(openai.APIError) as raised:
        with client.chat.completions.stream(
            model=MODEL, messages=question({"name": "Paris"}), response_format=City
        ) as stream:
            stream.get_final_completion()
    assert raised.value.code == "structured_output_failed"


def test_a_code_fence_is_taken_off(client):
    fenced = f"sim:echo ```json\n{json.dumps(PARIS)}\n```"
    answer = client.chat.completions.parse(
        model=MODEL, messages=[{"role": "user", "content": fenced}], response_format=City
    )
    assert answer.choices[0].message.content == json.dumps(PARIS)


@pytest.mark.parametrize("kind", ["text", "json_object"])
def test_a_format_without_a_schema_is_taken(ask, kind):
    said = ask(f"sim:echo {json.dumps(PARIS)}", response_format={"type": kind})
    assert json.loads(said.choices[0].message.content) == PARIS
