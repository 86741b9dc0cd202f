"""pydantic-ai's Agent with OpenAIChatModel and OpenAIProvider."""

import asyncio
import json

import openai
import pytest
from gateway import BASE_URL, BOTH, BREAKS, MODEL, TEXT, check_history, long_history, png, seen
from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, NativeOutput, PromptedOutput
from pydantic_ai.exceptions import ModelAPIError, ModelHTTPError
from pydantic_ai.messages import (
    ModelRequest,
    ModelResponse,
    TextPart,
    ThinkingPart,
    UserPromptPart,
)
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


class City(BaseModel):
    """A city."""

    name: str
    inhabitants: int


def connect(key, model=MODEL):
    """A model that does not hide failures by trying again."""
    client = openai.AsyncOpenAI(base_url=BASE_URL, api_key=key, max_retries=0, timeout=60)
    return OpenAIChatModel(model, provider=OpenAIProvider(openai_client=client))


def agent(key, **options):
    return Agent(connect(key), **options)


def weather_agent(key):
    asked = []
    able = agent(key)

    @able.tool_plain
    def get_weather(city: str) -> str:
        """The weather in a city."""
        asked.append(city)
        return f"18 degrees in {city}"

    return able, asked


def test_an_answer_comes_whole(key):
    result = agent(key, instructions="Be brief.").run_sync(f"sim:echo {TEXT}")
    assert result.output == TEXT
    assert result.usage.input_tokens > 0 and result.usage.output_tokens > 0


def test_a_stream_adds_up_to_the_answer(key):
    async def read():
        async with agent(key).run_stream(f"sim:echo {TEXT}") as result:
            pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
            return pieces, await result.get_output()

    pieces, whole = asyncio.run(read())
    assert len(pieces) > 5
    assert "".join(pieces) == whole == TEXT


def test_the_tool_loop_comes_to_an_answer(key):
    able, asked = weather_agent(key)
    result = able.run_sync(BOTH)
    assert sorted(asked) == ["London", "Paris"]
    assert "18 degrees in Paris" in result.output and "18 degrees in London" in result.output


def test_a_streamed_tool_loop_comes_to_an_answer(key):
    able, asked = weather_agent(key)

    async def read():
        async with able.iter(BOTH) as run:
            async for node in run:
                if Agent.is_model_request_node(node):
                    async with node.stream(run.ctx) as stream:
                        events.extend([event async for event in stream])
        return run.result.output

    events = []
    said = asyncio.run(read())
    assert len(events) > 10
    assert sorted(asked) == ["London", "Paris"]
    assert "18 degrees in Paris" in said and "18 degrees in London" in said


def test_an_image_is_seen(key):
    image = png(2, 3)
    question = ["What is this?", BinaryContent(image, media_type="image/png")]
    assert seen(image, 2, 3) in agent(key).run_sync(question).output


def test_an_output_by_a_tool_is_parsed(key):
    result = agent(key, output_type=City).run_sync("Give the final result for Paris.")
    assert result.output.name == "Paris"


def test_an_output_that_was_not_given_is_asked_for_again(key, simulator, mark):
    paris = {"name": "Paris", "inhabitants": 2100000}
    simulator.script(mark, [{"text": "Paris has many inhabitants."}], times=1)
    simulator.script(mark, [{"tool": {"name": "final_result", "input": paris}}])
    # pydantic-ai would ask again by itself; it has no need to.
    result = agent(key, output_type=City, retries=0).run_sync(f"Paris, {mark}")
    assert result.output == City(**paris)
    _, again = simulator.requests(mark)
    assert "An answer without a tool call was refused." in json.dumps(again["body"])


@pytest.mark.parametrize("form", [NativeOutput, PromptedOutput])
def test_an_output_in_json_is_parsed(key, form):
    able = agent(key, output_type=form(City))
    result = able.run_sync('sim:echo {"name": "Paris", "inhabitants": 2100000}')
    assert result.output == City(name="Paris", inhabitants=2100000)
    if form is NativeOutput:
        result = able.run_sync("How large is Paris?")
        assert result.output == City(name="Paris", inhabitants=1)


def test_thoughts_come_apart_from_the_answer(key):
    settings = {"openai_reasoning_effort": "high"}
    result = agent(key).run_sync("Why? sim:reasoning", model_settings=settings)
    parts = result.new_messages()[-1].parts
    (thought,) = [part.content for part in parts if isinstance(part, ThinkingPart)]
    assert thought and thought not in result.output


@pytest.mark.parametrize(
    "question, status, code",
    [
        ("sim:error=429", 429, "rate_limit_exceeded"),
        ("sim:error=402", 429, "insufficient_quota"),
        ("sim:error=500", 502, "upstream_error"),
        ("sim:error=400,CONTENT_LENGTH_EXCEEDS_THRESHOLD", 400, "context_length_exceeded"),
    ],
)
def test_a_refusal_keeps_its_class(guest, question, status, code):
    with pytest.raises(ModelHTTPError) as caught:
        agent(guest).run_sync(question)
    assert (caught.value.status_code, caught.value.body["code"]) == (status, code)


def test_a_wrong_key_and_an_unknown_model_are_told_apart(key):
    for model, status in ((connect(key + "x"), 401), (connect(key, "gpt-none"), 404)):
        with pytest.raises(ModelHTTPError) as caught:
            Agent(model).run_sync("Hi")
        assert caught.value.status_code == status


@pytest.mark.parametrize("question", BREAKS)
def test_a_stream_that_breaks_raises(guest, question):
    pieces = []

    async def read():
        async with agent(guest).run_stream(f"{question} sim:after=5 sim:tokens=100") as result:
            async for piece in result.stream_text(delta=True, debounce_by=None):
                pieces.append(piece)

    with pytest.raises(ModelAPIError):
        asyncio.run(read())
    assert pieces


def test_a_client_that_leaves_stops_the_upstream_stream(key, simulator, mark):
    async def leave():
        question = f"{mark} sim:tokens=20000 sim:delay=20ms"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(agent(key).run(question), 1)

    asyncio.run(leave())
    assert simulator.wait_for_end(mark) == "cancelled"


def test_leaving_a_stream_stops_the_upstream_stream(key, simulator, mark):
    async def leave():
        pieces = []
        async with agent(key).run_stream(f"{mark} sim:tokens=20000 sim:delay=20ms") as result:
            async for piece in result.stream_text(delta=True, debounce_by=None):
                pieces.append(piece)
                if len(pieces) == 5:
                    await result.cancel()
                    break
        return pieces

    assert len(asyncio.run(leave())) == 5
    assert simulator.wait_for_end(mark) == "cancelled"


def test_a_long_history_arrives(key, simulator, mark):
    *before, (_, question) = long_history(mark)
    history = [
        ModelRequest([UserPromptPart(text)]) if role == "user" else ModelResponse([TextPart(text)])
        for role, text in before
    ]
    result = agent(key).run_sync(question, message_history=history)
    assert result.output == f"the end of {mark}"
    check_history(simulator, mark)
