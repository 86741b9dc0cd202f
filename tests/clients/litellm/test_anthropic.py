"""LiteLLM's completion() with the prefix `anthropic/`: it speaks /v1/messages, and answers as OpenAI does."""

import asyncio
import json
import os

import litellm
import pytest
from gateway import BOTH, BREAKS, MODEL, SILENCE, TEXT, check_history, data_url, long_history, png, seen
from litellm.exceptions import MidStreamFallbackError, PaymentRequiredError

litellm.suppress_debug_info = True
litellm.telemetry = False

THINKING = {"thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 4000}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER_TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "description": "The weather in a city", "parameters": SCHEMA},
}
NOW_TOOL = {
    "type": "function",
    "function": {"name": "now", "description": "The time", "parameters": {"type": "object", "properties": {}}},
}


def options(key, **more):
    """What every call has; failures are not hidden by trying again."""
    named = {"model": f"anthropic/{MODEL}", "api_base": os.environ["GATEWAY_URL"], "api_key": key}
    return {**named, "max_retries": 0, "timeout": 60, **more}


@pytest.fixture
def ask(key):
    """Asks a question, or goes on with messages; a stream is put together the way LiteLLM's callers do."""

    def ask(question, stream=False, **more):
        messages = question if isinstance(question, list) else [{"role": "user", "content": question}]
        answer = litellm.completion(messages=messages, stream=stream, **options(key, **more))
        return litellm.stream_chunk_builder(list(answer), messages=messages) if stream else answer

    return ask


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_comes_whole(ask, stream):
    answer = ask(f"sim:echo {TEXT}", stream)
    assert answer.choices[0].message.content == TEXT
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens > 0 and answer.usage.completion_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_silence_is_filled_and_spoils_nothing(ask):
    assert ask(f"{SILENCE}sim:echo {TEXT}", stream=True).choices[0].message.content == TEXT


def test_an_asynchronous_stream_adds_up_too(key):
    async def read():
        messages = [{"role": "user", "content": f"sim:echo {TEXT}"}]
        stream = await litellm.acompletion(messages=messages, stream=True, **options(key))
        return [chunk.choices[0].delta.content or "" async for chunk in stream]

    assert "".join(asyncio.run(read())) == TEXT


@pytest.mark.parametrize("stream", [False, True])
def test_the_tool_loop_comes_to_an_answer(ask, stream):
    messages = [{"role": "user", "content": BOTH}]
    choice = ask(messages, stream, tools=[WEATHER_TOOL]).choices[0]
    assert choice.finish_reason == "tool_calls"
    calls = choice.message.tool_calls
    assert [json.loads(call.function.arguments)["city"] for call in calls] == ["Paris", "London"]
    messages.append(choice.message)
    for call in calls:
        city = json.loads(call.function.arguments)["city"]
        messages.append({"role": "tool", "tool_call_id": call.id, "content": f"18 degrees in {city}"})
    said = ask(messages, stream, tools=[WEATHER_TOOL]).choices[0].message.content
    assert "18 degrees in Paris" in said and "18 degrees in London" in said


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_without_arguments_has_an_empty_object(ask, simulator, mark, stream):
    simulator.script(mark, [{"tool": {"name": "now", "input": {}}}])
    (call,) = ask(mark, stream, tools=[NOW_TOOL]).choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {}


@pytest.mark.parametrize("stream", [False, True])
def test_thoughts_come_apart_and_go_back_with_their_signature(ask, simulator, mark, stream):
    messages = [{"role": "user", "content": "Why? sim:reasoning"}]
    message = ask(messages, stream, **THINKING).choices[0].message
    assert message.reasoning_content and message.reasoning_content not in message.content
    (thoughts,) = message.thinking_blocks
    assert thoughts["thinking"] == message.reasoning_content and thoughts["signature"]
    messages += [message, {"role": "user", "content": f"sim:echo {mark}"}]
    ask(messages, **THINKING)
    (sent,) = simulator.requests(mark)
    assert thoughts["signature"] in json.dumps(sent["body"])


def test_an_effort_is_understood(ask):
    message = ask("Why? sim:reasoning", reasoning_effort="high", max_tokens=8000).choices[0].message
    assert message.reasoning_content and message.content


def test_an_image_is_seen(ask):
    image = png(2, 3)
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": data_url(image)}},
    ]
    assert seen(image, 2, 3) in ask([{"role": "user", "content": parts}]).choices[0].message.content


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_in_json_arrives(ask, stream):
    json_schema = {"name": "city", "schema": {**SCHEMA, "additionalProperties": False}, "strict": True}
    answer = ask("Where is Paris?", stream, response_format={"type": "json_schema", "json_schema": json_schema})
    assert json.loads(answer.choices[0].message.content) == {"city": "Paris"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "question, kind",
    [
        ("sim:error=429", litellm.RateLimitError),
        ("sim:error=402", PaymentRequiredError),
        ("sim:error=500", litellm.BadGatewayError),
        ("sim:error=429,INSUFFICIENT_MODEL_CAPACITY", litellm.InternalServerError),
        ("sim:error=400,CONTENT_LENGTH_EXCEEDS_THRESHOLD", litellm.ContextWindowExceededError),
    ],
)
def test_a_refusal_keeps_its_class(guest, question, kind, stream):
    messages = [{"role": "user", "content": question}]
    with pytest.raises(kind):
        litellm.completion(messages=messages, stream=stream, **options(guest))


def test_a_wrong_key_and_an_unknown_model_are_told_apart(key):
    messages = [{"role": "user", "content": "Hi"}]
    with pytest.raises(litellm.AuthenticationError):
        litellm.completion(messages=messages, **options(key + "x"))
    with pytest.raises(litellm.NotFoundError):
        litellm.completion(messages=messages, **options(key, model="anthropic/claude-none"))


@pytest.mark.parametrize("question", BREAKS)
def test_a_stream_that_breaks_raises(guest, question):
    messages = [{"role": "user", "content": f"{question} sim:after=5 sim:tokens=100"}]
    chunks = []
    with pytest.raises(MidStreamFallbackError):
        for chunk in litellm.completion(messages=messages, stream=True, **options(guest)):
            chunks.append(chunk)
    assert any(chunk.choices[0].delta.content for chunk in chunks)
    assert all(chunk.choices[0].finish_reason is None for chunk in chunks)


def test_a_client_that_leaves_stops_the_upstream_stream(key, simulator, mark):
    async def leave():
        messages = [{"role": "user", "content": f"{mark} sim:tokens=20000 sim:delay=20ms"}]
        stream = await litellm.acompletion(messages=messages, stream=True, **options(key))
        for _ in range(5):
            await anext(stream)
        await stream.aclose()

    asyncio.run(leave())
    assert simulator.wait_for_end(mark) == "cancelled"


def test_a_long_history_arrives(ask, simulator, mark):
    messages = [{"role": role, "content": text} for role, text in long_history(mark)]
    assert ask(messages).choices[0].message.content == f"the end of {mark}"
    check_history(simulator, mark)
