"""The Agents SDK of OpenAI, which speaks /v1/responses."""

import asyncio

import pytest
from agents import Agent, OpenAIResponsesModel, RunConfig, Runner, function_tool, set_tracing_disabled
from openai import AsyncOpenAI
from openai.types.responses import ResponseTextDeltaEvent

from gateway import BASE_URL, BOTH, MODEL, TEXT

set_tracing_disabled(True)
NOT_TRACED = RunConfig(tracing_disabled=True)


@pytest.fixture
def model(key):
    client = AsyncOpenAI(base_url=BASE_URL, api_key=key, max_retries=0, timeout=60)
    return OpenAIResponsesModel(model=MODEL, openai_client=client)


def test_a_text(model):
    agent = Agent(name="Plain", model=model)
    result = asyncio.run(Runner.run(agent, f"sim:echo {TEXT}", run_config=NOT_TRACED))
    assert TEXT in result.final_output


def test_a_stream(model):
    async def ask():
        result = Runner.run_streamed(Agent(name="Plain", model=model), f"sim:echo {TEXT}", run_config=NOT_TRACED)
        events = [event async for event in result.stream_events()]
        data = [event.data for event in events if event.type == "raw_response_event"]
        return "".join(piece.delta for piece in data if isinstance(piece, ResponseTextDeltaEvent)), result

    text, result = asyncio.run(ask())
    assert TEXT in text
    assert result.final_output == text


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
