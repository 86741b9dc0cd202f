"""instructor.from_openai in the modes that ask for calls and for JSON.

instructor puts a schema of its own into the conversation, so the simulated service's answers are scripted.
"""

import asyncio
import json
from collections.abc import Iterable

import instructor
import openai
import pytest
from gateway import BASE_URL, BREAKS, MODEL, check_history, data_url, long_history, png, seen
from instructor.core import InstructorRetryException
from pydantic import BaseModel

PARIS = {"name": "Paris", "inhabitants": 2100000}

PARTIAL = "PartialCity"
"""The tool that instructor forces for a City that grows."""


class City(BaseModel):
    """A city."""

    name: str
    inhabitants: int


class Weather(BaseModel):
    """The weather in a city."""

    city: str


def connect(key, mode=instructor.Mode.TOOLS, client=openai.OpenAI):
    """A client that does not hide failures by trying again."""
    inner = client(base_url=BASE_URL, api_key=key, max_retries=0, timeout=60)
    return instructor.from_openai(inner, mode=mode)


def ask(client, question, kind, **options):
    messages = question if isinstance(question, list) else [{"role": "user", "content": question}]
    return client.chat.completions.create(
        model=MODEL, messages=messages, response_model=kind, max_retries=0, **options
    )


def cause_of(error):
    """The error of the package openai behind one of instructor's."""
    while error and not isinstance(error, openai.APIError):
        error = error.__cause__
    return error


@pytest.mark.parametrize("mode", [instructor.Mode.TOOLS, instructor.Mode.JSON, instructor.Mode.JSON_SCHEMA])
def test_an_answer_becomes_an_object(key, simulator, mark, mode):
    tools = mode == instructor.Mode.TOOLS
    step = {"tool": {"name": "City", "input": PARIS}} if tools else {"text": json.dumps(PARIS)}
    simulator.script(mark, [step])
    assert ask(connect(key, mode), f"Paris, {mark}", City).model_dump() == PARIS


def test_parallel_calls_become_objects(key, simulator, mark):
    calls = [{"tool": {"name": "Weather", "input": {"city": city}}} for city in ("Paris", "London")]
    simulator.script(mark, calls)
    client = connect(key, instructor.Mode.PARALLEL_TOOLS)
    found = list(ask(client, f"Paris and London, {mark}", Iterable[Weather]))
    assert [weather.city for weather in found] == ["Paris", "London"]


def test_a_stream_grows_an_object(key, simulator, mark):
    simulator.script(mark, [{"tool": {"name": PARTIAL, "input": PARIS}}])
    messages = [{"role": "user", "content": f"Paris, {mark}"}]
    client = connect(key)
    stages = list(client.chat.completions.create_partial(model=MODEL, messages=messages, response_model=City))
    assert stages[-1].name == "Paris" and stages[-1].inhabitants == PARIS["inhabitants"]


def test_an_asynchronous_answer_becomes_an_object(key, simulator, mark):
    simulator.script(mark, [{"tool": {"name": "City", "input": PARIS}}])
    client = connect(key, client=openai.AsyncOpenAI)
    assert asyncio.run(ask(client, f"Paris, {mark}", City)).model_dump() == PARIS


def test_a_wrong_object_is_asked_for_again(key, simulator, mark):
    wrong = {"name": "Paris", "inhabitants": "many"}
    simulator.script(mark, [{"tool": {"name": "City", "input": wrong}}], times=1)
    simulator.script(mark, [{"tool": {"name": "City", "input": PARIS}}])
    messages = [{"role": "user", "content": f"Paris, {mark}"}]
    city = connect(key).chat.completions.create(
        model=MODEL, messages=messages, response_model=City, max_retries=1
    )
    assert city.model_dump() == PARIS


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_that_was_not_called_is_asked_for_again(key, simulator, mark, stream):
    simulator.script(mark, [{"text": "Paris has many inhabitants."}], times=1)
    simulator.script(mark, [{"tool": {"name": PARTIAL if stream else "City", "input": PARIS}}])
    if stream:
        client, messages = connect(key), [{"role": "user", "content": f"Paris, {mark}"}]
        *_, city = client.chat.completions.create_partial(model=MODEL, messages=messages, response_model=City)
    else:
        city = ask(connect(key), f"Paris, {mark}", City)
    assert city.model_dump() == PARIS
    _, again = simulator.requests(mark)
    assert "An answer without a tool call was refused." in json.dumps(again["body"])


def test_an_image_is_seen(key, simulator, mark):
    image = png(2, 3)
    parts = [
        {"type": "text", "text": f"What is this? {mark}"},
        {"type": "image_url", "image_url": {"url": data_url(image)}},
    ]
    messages = [{"role": "user", "content": parts}]
    # Without a model for the answer instructor passes on what the service says of the picture.
    said = ask(connect(key), messages, None)
    assert seen(image, 2, 3) in said.choices[0].message.content
    simulator.script(mark, [{"tool": {"name": "City", "input": PARIS}}])
    assert ask(connect(key), messages, City).model_dump() == PARIS
    *_, request = simulator.requests(mark)
    assert '"images"' in json.dumps(request["body"])


@pytest.mark.parametrize(
    "question, kind",
    [("sim:error=429", openai.RateLimitError), ("sim:error=500", openai.InternalServerError)],
)
def test_a_refusal_is_the_cause(guest, question, kind):
    with pytest.raises(InstructorRetryException) as caught:
        ask(connect(guest), question, City)
    assert isinstance(cause_of(caught.value), kind)


@pytest.mark.parametrize("question", BREAKS)
def test_a_stream_that_breaks_raises(guest, simulator, mark, question):
    pieces = ['{"name": "Paris", ', '"inhabitants": ']
    fault = {
        "sim:cut": "cut",
        "sim:reset": "reset",
        "sim:bad-message-crc": "bad_message_crc",
        "sim:fault=ThrottlingException": {"fault": {"kind": "ThrottlingException", "payload": {"message": "Slow down."}}},
    }[question]
    call = {"tool_pieces": {"name": PARTIAL, "pieces": pieces, "stop": False}}
    simulator.script(mark, [call, fault])
    messages = [{"role": "user", "content": f"Paris, {mark}"}]
    client = connect(guest)
    with pytest.raises(InstructorRetryException) as caught:
        list(client.chat.completions.create_partial(model=MODEL, messages=messages, response_model=City))
    # An error within the stream has no status.
    assert type(cause_of(caught.value)) is openai.APIError


def test_a_client_that_leaves_stops_the_upstream_stream(key, simulator, mark):
    pieces = ['{"name": "', "P"]
    simulator.script(mark, [{"tool_pieces": {"name": PARTIAL, "pieces": pieces, "stop": False}}, "hang"])
    messages = [{"role": "user", "content": f"Paris, {mark}"}]

    async def leave():
        client = connect(key, client=openai.AsyncOpenAI)
        stages = client.chat.completions.create_partial(model=MODEL, messages=messages, response_model=City)
        if asyncio.iscoroutine(stages):
            stages = await stages
        assert await anext(stages)
        await stages.aclose()

    asyncio.run(leave())
    assert simulator.wait_for_end(mark) == "cancelled"


def test_a_long_history_arrives(key, simulator, mark):
    simulator.script(f"the end of {mark}", [{"tool": {"name": "City", "input": PARIS}}])
    messages = [{"role": role, "content": text} for role, text in long_history(mark)]
    assert ask(connect(key), messages, City).model_dump() == PARIS
    check_history(simulator, mark)
