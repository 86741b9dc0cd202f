"""LiteLLM's completion() with the prefix `openai/`, api_base and api_key."""

import asyncio
import json

import litellm
import pytest
from gateway import BASE_URL, BOTH, BREAKS, MODEL, SILENCE, TEXT, check_history, data_url, long_history, png, seen
from litellm.exceptions import MidStreamFallbackError

litellm.suppress_debug_info = True
litellm.telemetry = False

WEATHER_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def options(key, **more):
    """What every call has; failures are not hidden by trying again."""
    named = {"model": f"openai/{MODEL}", "api_base": BASE_URL, "api_key": key}
    return {**named, "max_retries": 0, "timeout": 60, **more}


@pytest.fixture
def ask(key):
    def ask(question, **more):
        messages = [{"role": "user", "content": question}] if question else more.pop("messages")
        return litellm.completion(messages=messages, **options(key, **more))

    return ask


def test_an_answer_comes_whole(ask):
    answer = ask(f"sim:echo {TEXT}")
    assert answer.choices[0].message.content == TEXT
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def test_a_stream_adds_up_to_the_answer(ask):
    chunks = list(ask(f"sim:echo {TEXT}", stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    filled = ask(f"{SILENCE}sim:echo {TEXT}", stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in filled) == TEXT
    assert litellm.stream_chunk_builder(chunks).choices[0].message.content == TEXT
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "stop"


def test_an_asynchronous_stream_adds_up_too(key):
    async def read():
        messages = [{"role": "user", "content": f"sim:echo {TEXT}"}]
        stream = await litellm.acompletion(messages=messages, stream=True, **options(key))
        return [chunk.choices[0].delta.content or "" async for chunk in stream]

    assert "".join(asyncio.run(read())) == TEXT


@pytest.mark.parametrize("stream", [False, True])
def test_the_tool_loop_comes_to_an_answer(ask, stream):
    def whole(messages):
        answer = ask(None, messages=messages, tools=[WEATHER_TOOL], stream=stream)
        answer = litellm.stream_chunk_builder(list(answer)) if stream else answer
        return answer.choices[0]

    messages = [{"role": "user", "content": BOTH}]
    choice = whole(messages)
    assert choice.finish_reason == "tool_calls"
    calls = choice.message.tool_calls
    assert [json.loads(call.function.arguments)["city"] for call in calls] == ["Paris", "London"]
    # LiteLLM's own message object goes back as it is, with the members that only LiteLLM knows.
    messages.append(choice.message)
    for call in calls:
        city = json.loads(call.function.arguments)["city"]
        messages.append({"role": "tool", "tool_call_id": call.id, "content": f"18 degrees in {city}"})
    said = whole(messages).message.content
    assert "18 degrees in Paris" in said and "18 degrees in London" in said


def test_an_image_is_seen(ask):
    image = png(2, 3)
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": data_url(image)}},
    ]
    assert seen(image, 2, 3) in ask(parts).choices[0].message.content


def test_an_answer_in_json_arrives(ask):
    for response_format in ({"type": "json_object"}, {"type": "text"}):
        answer = ask('sim:echo {"city": "Paris"}', response_format=response_format)
        assert json.loads(answer.choices[0].message.content) == {"city": "Paris"}
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    json_schema = {"name": "city", "schema": schema, "strict": True}
    answer = ask("Where is Paris?", response_format={"type": "json_schema", "json_schema": json_schema})
    assert json.loads(answer.choices[0].message.content) == {"city": "Paris"}


def test_thoughts_come_apart_from_the_answer(ask):
    message = ask("Why? sim:reasoning", reasoning_effort="high", allowed_openai_params=["reasoning_effort"])
    message = message.choices[0].message
    assert message.reasoning_content and message.reasoning_content not in message.content
    chunks = list(
        ask("Why? sim:reasoning", stream=True, reasoning_effort="high", allowed_openai_params=["reasoning_effort"])
    )
    whole = litellm.stream_chunk_builder(chunks).choices[0].message
    assert (whole.content, whole.reasoning_content) == (message.content, message.reasoning_content)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "question, kind",
    [
        ("sim:error=429", litellm.RateLimitError),
        ("sim:error=402", litellm.RateLimitError),
        ("sim:error=500", litellm.BadGatewayError),
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
        litellm.completion(messages=messages, **options(key, model="openai/gpt-none"))


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
    assert ask(None, messages=messages).choices[0].message.content == f"the end of {mark}"
    check_history(simulator, mark)
