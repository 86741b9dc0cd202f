"""The asynchronous client: what differs from the other one is how streams are read and left."""

import asyncio
import json

import openai
import pytest
from conftest import MODEL, connect
from gateway import BOTH, TEXT, data_url, png, seen

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def run(key, use):
    """Runs a coroutine with a client that is closed in the same event loop."""

    async def main():
        async with connect(key, openai.AsyncOpenAI) as client:
            return await use(client)

    return asyncio.run(main())


def body(question, **options):
    return {"model": MODEL, "messages": [{"role": "user", "content": question}], **options}


def test_an_answer_and_its_stream_are_the_same(key):
    async def use(client):
        whole = await client.chat.completions.create(**body(f"sim:echo {TEXT}"))
        stream = await client.chat.completions.create(**body(f"sim:echo {TEXT}", stream=True))
        return whole, [chunk async for chunk in stream]

    whole, chunks = run(key, use)
    assert whole.choices[0].message.content == TEXT
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_the_stream_helper_puts_parallel_calls_together(key):
    async def use(client):
        async with client.chat.completions.stream(**body(BOTH, tools=[WEATHER])) as stream:
            return await stream.get_final_completion()

    (choice,) = run(key, use).choices
    assert choice.finish_reason == "tool_calls"
    calls = choice.message.tool_calls
    assert [json.loads(call.function.arguments)["city"] for call in calls] == ["Paris", "London"]


def test_an_image_is_seen(key):
    image = png(2, 3)
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": data_url(image)}},
    ]
    answer = run(key, lambda client: client.chat.completions.create(**body(parts)))
    assert seen(image, 2, 3) in answer.choices[0].message.content


@pytest.mark.parametrize(
    "question, kind",
    [
        ("sim:error=429", openai.RateLimitError),
        ("sim:error=500", openai.InternalServerError),
        ("sim:cut sim:after=5 sim:tokens=100", openai.APIError),
    ],
)
def test_a_stream_that_is_refused_or_breaks_raises(guest, question, kind):
    async def use(client):
        async for _ in await client.chat.completions.create(**body(question, stream=True)):
            pass

    with pytest.raises(kind):
        run(guest, use)


@pytest.mark.parametrize("stream", [False, True])
def test_a_cancelled_task_stops_the_upstream_stream(key, simulator, mark, stream):
    question = f"{mark} sim:tokens=20000 sim:delay=20ms"

    async def read(client):
        answer = await client.chat.completions.create(**body(question, stream=stream))
        async for _ in answer:
            pass

    async def use(client):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(read(client), 1)

    run(key, use)
    assert simulator.wait_for_end(mark) == "cancelled"
