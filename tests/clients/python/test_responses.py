"""The openai package on /v1/responses."""

import json

import openai
import pytest

from gateway import BASE_URL, MODEL, TEXT, WEATHER

WEATHER_TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}


@pytest.fixture(scope="module")
def client(key):
    return openai.OpenAI(base_url=BASE_URL, api_key=key, max_retries=0, timeout=60)


def test_a_text_comes_whole(client):
    response = client.responses.create(model=MODEL, input=f"sim:echo {TEXT}")
    assert response.status == "completed"
    assert TEXT in response.output_text
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens


def test_a_stream_has_the_same_text(client):
    with client.responses.stream(model=MODEL, input=f"sim:echo {TEXT}") as stream:
        pieces = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert TEXT in "".join(pieces)
    assert final.output_text == "".join(pieces)


def test_a_raw_stream_ends_with_its_response(client):
    events = list(client.responses.create(model=MODEL, input="Hello", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"


def test_a_tool_loop_goes_on_by_the_id(client):
    first = client.responses.create(model=MODEL, input=WEATHER, tools=[WEATHER_TOOL])
    calls = [item for item in first.output if item.type == "function_call"]
    assert calls and calls[0].name == "get_weather"
    outputs = [
        {"type": "function_call_output", "call_id": call.call_id, "output": json.dumps({"sky": "clear"})}
        for call in calls
    ]
    second = client.responses.create(
        model=MODEL, input=outputs, tools=[WEATHER_TOOL], previous_response_id=first.id
    )
    assert second.previous_response_id == first.id
    assert second.output_text


def test_a_streamed_tool_loop_goes_on_by_its_items(client):
    with client.responses.stream(model=MODEL, input=WEATHER, tools=[WEATHER_TOOL], store=False) as stream:
        for _ in stream:
            pass
        first = stream.get_final_response()
    conversation = [{"role": "user", "content": WEATHER}]
    conversation += [item.to_dict() for item in first.output]
    conversation += [
        {"type": "function_call_output", "call_id": item.call_id, "output": "clear"}
        for item in first.output
        if item.type == "function_call"
    ]
    second = client.responses.create(model=MODEL, input=conversation, tools=[WEATHER_TOOL], store=False)
    assert second.output_text


def test_a_conversation_is_remembered_listed_and_forgotten(client, simulator, mark):
    first = client.responses.create(model=MODEL, input=f"Remember {mark}")
    client.responses.create(model=MODEL, input="What was it?", previous_response_id=first.id)
    assert len(simulator.requests(mark)) == 2

    assert client.responses.retrieve(first.id).output_text == first.output_text
    (item,) = client.responses.input_items.list(first.id).data
    assert item.content[0].text == f"Remember {mark}"
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
    with pytest.raises(openai.BadRequestError) as refusal:
        client.responses.create(model=MODEL, input="And now?", previous_response_id=first.id)
    assert refusal.value.code == "previous_response_not_found"


def test_thoughts_are_a_summary(client):
    response = client.responses.create(
        model=MODEL, input="sim:reasoning", include=["reasoning.encrypted_content"]
    )
    (thoughts,) = [item for item in response.output if item.type == "reasoning"]
    assert thoughts.summary[0].text


def test_refusals_have_their_classes(client):
    with pytest.raises(openai.NotFoundError) as refusal:
        client.responses.create(model="gpt-9", input="Hello")
    assert refusal.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as refusal:
        client.responses.create(model=MODEL, input="Hello", background=True)
    assert refusal.value.param == "background"


@pytest.mark.parametrize("breaks", ["sim:cut", "sim:bad-message-crc"])
def test_a_stream_that_breaks_raises(client, breaks):
    with pytest.raises(openai.APIError):
        for _ in client.responses.create(
            model=MODEL, input=f"{breaks} sim:after=5 sim:tokens=100", stream=True
        ):
            pass
