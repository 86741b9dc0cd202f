import json

import pytest
from conftest import MODEL

WEATHER = {
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


def report(call):
    return f"18 degrees in {json.loads(call.function.arguments)['city']}"


def answer_calls(client, messages, message, **options):
    """Sends the results of a message's calls and returns what is said about them."""
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": report(call)}
        for call in message.tool_calls
    ]
    messages = [*messages, message.model_dump(exclude_none=True), *results]
    return client.chat.completions.create(
        model=MODEL, messages=messages, tools=[WEATHER], **options
    )


def test_the_tool_loop_comes_to_an_answer(client):
    messages = [{"role": "user", "content": "What is the weather in Paris?"}]
    asked = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
    (choice,) = asked.choices
    assert choice.finish_reason == "tool_calls"
    (call,) = choice.message.tool_calls
    assert call.type == "function"
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "Paris"}

    final = answer_calls(client, messages, choice.message).choices[0]
    assert final.finish_reason == "stop"
    assert final.message.tool_calls is None
    assert "18 degrees in Paris" in final.message.content


def test_a_streamed_call_comes_in_pieces_and_the_loop_goes_on(client):
    messages = [{"role": "user", "content": "What is the weather in Paris?"}]
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=messages, tools=[WEATHER], stream=True
        )
    )
    pieces = [
        piece
        for chunk in chunks
        for choice in chunk.choices
        for piece in choice.delta.tool_calls or []
    ]
    first, *rest = pieces
    assert first.index == 0 and first.id and first.type == "function"
    assert first.function.name == "get_weather"
    assert len(rest) > 1
    for piece in rest:
        assert (piece.index, piece.id, piece.type, piece.function.name) == (0, None, None, None)
    arguments = "".join(piece.function.arguments for piece in pieces)
    assert json.loads(arguments) == {"city": "Paris"}
    assert chunks[-1].choices[0].finish_reason == "tool_calls"

    call = {
        "id": first.id,
        "type": "function",
        "function": {"name": first.function.name, "arguments": arguments},
    }
    messages += [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": first.id, "content": "18 degrees"},
    ]
    final = client.chat.completions.create(
        model=MODEL, messages=messages, tools=[WEATHER], stream=True
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in final)
    assert "18 degrees" in text


def test_parallel_calls_are_told_apart(client):
    messages = [{"role": "user", "content": "What is the weather in both Paris and London?"}]
    with client.chat.completions.stream(
        model=MODEL, messages=messages, tools=[WEATHER]
    ) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        message = stream.get_final_completion().choices[0].message
    assert [event.index for event in done] == [0, 1]
    cities = [json.loads(call.function.arguments)["city"] for call in message.tool_calls]
    assert cities == ["Paris", "London"]
    assert len({call.id for call in message.tool_calls}) == 2

    plain = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
    calls = plain.choices[0].message.tool_calls
    assert [json.loads(call.function.arguments)["city"] for call in calls] == cities
    said = answer_calls(client, messages, plain.choices[0].message).choices[0].message.content
    assert "18 degrees in Paris" in said and "18 degrees in London" in said


@pytest.mark.parametrize("stream", [False, True])
def test_one_call_at_a_time_when_asked_for(client, stream):
    messages = [{"role": "user", "content": "What is the weather in both Paris and London?"}]
    answer = client.chat.completions.create(
        model=MODEL,
        messages=messages,
        tools=[WEATHER],
        parallel_tool_calls=False,
        stream=stream,
    )
    if stream:
        pieces = [piece for chunk in answer for piece in chunk.choices[0].delta.tool_calls or []]
        assert {piece.index for piece in pieces} == {0}
        arguments = "".join(piece.function.arguments for piece in pieces)
    else:
        (call,) = answer.choices[0].message.tool_calls
        arguments = call.function.arguments
    assert json.loads(arguments) == {"city": "Paris"}


def test_a_call_without_arguments_is_an_empty_object(ask):
    tool = {"type": "function", "function": {"name": "list_files"}}
    (call,) = ask("Please list files.", tools=[tool]).choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {}


def test_a_failed_tool_is_told_to_the_model(client):
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
    }
    messages = [
        {"role": "user", "content": "What is the weather in Paris?"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "no such city"},
    ]
    answer = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
    assert "no such city" in answer.choices[0].message.content
