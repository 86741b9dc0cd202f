"""The Agents SDK of OpenAI, which speaks /v1/responses."""

import asyncio

import openai
import pytest
from agents import Agent, OpenAIResponsesModel, RunConfig, Runner, function_tool, set_tracing_disabled
from openai import AsyncOpenAI
from openai.types.responses import ResponseTextDeltaEvent
from pydantic import BaseModel

from gateway import BASE_URL, BOTH, BREAKS, MODEL, TEXT

set_tracing_disabled(True)
NOT_TRACED = RunConfig(tracing_disabled=True)


class City(BaseModel):
    """A city."""

    name: str
    inhabitants: int


def connect(key):
    """A model that does not hide failures by trying again."""
    client = AsyncOpenAI(base_url=BASE_URL, api_key=key, max_retries=0, timeout=60)
    return OpenAIResponsesModel(model=MODEL, openai_client=client)


@pytest.fixture
def model(key):
    return connect(key)


async def read(agent, question):
    """The events of a stream to its end, and the result."""
    result = Runner.run_streamed(agent, question, run_config=NOT_TRACED)
    return [event async for event in result.stream_events()], result


def test_a_text(model):
    agent = Agent(name="Plain", model=model)
    result = asyncio.run(Runner.run(agent, f"sim:echo {TEXT}", run_config=NOT_TRACED))
    assert TEXT in result.final_output


def test_a_stream(model):
    async def ask():
        events, result = await read(Agent(name="Plain", model=model), f"sim:echo {TEXT}")
        data = [event.data for event in events if event.type == "raw_response_event"]
        return "".join(piece.delta for piece in data if isinstance(piece, ResponseTextDeltaEvent)), result

    text, result = asyncio.run(ask())
    assert TEXT in text
    assert result.final_output == text
    usage = result.context_wrapper.usage
    assert usage.input_tokens > 0 and usage.output_tokens > 0


@pytest.mark.parametrize("stream", [False, True])
def test_an_output_of_a_type_is_parsed(model, stream):
    async def ask():
        agent = Agent(name="Plain", model=model, output_type=City)
        if stream:
            return (await read(agent, "How large is Paris?"))[1]
        return await Runner.run(agent, "How large is Paris?", run_config=NOT_TRACED)

    assert asyncio.run(ask()).final_output == City(name="Paris", inhabitants=1)


def test_tools_in_parallel(model):
    asked = []

    @function_tool
    def get_weather(city: str) -> str:
        """The weather of a city."""
        asked.append(city)
        return f"18 degrees in {city}"

    agent = Agent(name="Weather", instructions="Use the tool.", model=model, tools=[get_weather])
    result = asyncio.run(Runner.run(agent, BOTH, run_config=NOT_TRACED))
    assert sorted(asked) == ["London", "Paris"]
    assert "18 degrees" in result.final_output


def test_a_conversation_goes_on_by_the_id(model, simulator, mark):
    async def talk():
        agent = Agent(name="Plain", model=model)
        first = await Runner.run(agent, f"Remember {mark}", run_config=NOT_TRACED)
        await Runner.run(
            agent, "What was it?", previous_response_id=first.last_response_id, run_config=NOT_TRACED
        )

    asyncio.run(talk())
    assert len(simulator.requests(mark)) == 2


@pytest.mark.parametrize(
    "question, kind",
    [
        ("sim:error=429", openai.RateLimitError),
        ("sim:error=400,CONTENT_LENGTH_EXCEEDS_THRESHOLD", openai.BadRequestError),
    ],
)
def test_a_refusal_keeps_its_class(guest, question, kind):
    with pytest.raises(kind):
        asyncio.run(Runner.run(Agent(name="Plain", model=connect(guest)), question, run_config=NOT_TRACED))


@pytest.mark.parametrize("question", BREAKS)
def test_a_stream_that_breaks_raises(guest, question):
    with pytest.raises(openai.APIError):
        asyncio.run(read(Agent(name="Plain", model=connect(guest)), f"{question} sim:after=5 sim:tokens=100"))
