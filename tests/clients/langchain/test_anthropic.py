"""LangChain's ChatAnthropic, with base_url and api_key and nothing else that is special."""

import asyncio
import os

import anthropic
import pytest
from gateway import (
    BOTH, BREAKS, MODEL, SILENCE, TEXT, WEATHER, check_history, data_url, long_history, png, seen,
)
from langchain_anthropic import ChatAnthropic
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel

THINKING = {"thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 4000}
PARIS = '{"name": "Paris", "inhabitants": 2100000}'


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"18 degrees in {city}"


@tool
def now() -> str:
    """The time."""
    return "noon"


class City(BaseModel):
    """A city."""

    name: str
    inhabitants: int


def connect(key, **options):
    """A model that does not hide failures by trying again."""
    url = os.environ["GATEWAY_URL"]
    return ChatAnthropic(model=MODEL, base_url=url, api_key=key, max_retries=0, timeout=60, **options)


@pytest.fixture(scope="module")
def model(key):
    return connect(key)


def collect(stream):
    """The chunks of a stream, added up the way LangChain's own callers do."""
    whole = None
    for chunk in stream:
        whole = chunk if whole is None else whole + chunk
    return whole


def ask(model, messages, stream):
    return collect(model.stream(messages)) if stream else model.invoke(messages)


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_comes_whole_with_its_usage(model, stream):
    answer = ask(model, [SystemMessage("Be brief."), HumanMessage(f"sim:echo {TEXT}")], stream)
    assert answer.text == TEXT
    assert answer.response_metadata["stop_reason"] == "end_turn"
    assert answer.response_metadata["model_name"] == MODEL
    usage = answer.usage_metadata
    assert usage["input_tokens"] > 0 and usage["output_tokens"] > 0
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_silence_is_filled_and_spoils_nothing(model):
    assert collect(model.stream(f"{SILENCE}sim:echo {TEXT}")).text == TEXT


def test_an_asynchronous_stream_adds_up_too(key):
    async def read():
        return [chunk.text async for chunk in connect(key).astream(f"sim:echo {TEXT}")]

    pieces = asyncio.run(read())
    assert len(pieces) > 5
    assert "".join(pieces) == TEXT


@pytest.mark.parametrize("stream", [False, True])
def test_the_tool_loop_comes_to_an_answer(model, stream):
    able = model.bind_tools([get_weather])
    messages = [HumanMessage(BOTH)]
    answer = ask(able, messages, stream)
    assert answer.response_metadata["stop_reason"] == "tool_use"
    assert [(call["name"], call["args"]) for call in answer.tool_calls] == [
        ("get_weather", {"city": "Paris"}),
        ("get_weather", {"city": "London"}),
    ]
    messages += [answer, *(get_weather.invoke(call) for call in answer.tool_calls)]
    said = ask(able, messages, stream).text
    assert "18 degrees in Paris" in said and "18 degrees in London" in said


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_without_arguments_has_none(model, simulator, mark, stream):
    simulator.script(mark, [{"tool": {"name": "now", "input": {}}}])
    (call,) = ask(model.bind_tools([now]), mark, stream).tool_calls
    assert (call["name"], call["args"]) == ("now", {})


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("choice", ["any", "City"])
def test_a_tool_that_was_not_called_is_asked_for_again(model, simulator, mark, choice, stream):
    paris = {"name": "Paris", "inhabitants": 2100000}
    simulator.script(mark, [{"text": "Paris has many inhabitants."}], times=1)
    simulator.script(mark, [{"tool": {"name": "City", "input": paris}}])
    answer = ask(model.bind_tools([City], tool_choice=choice), f"Paris, {mark}", stream)
    assert [(call["name"], call["args"]) for call in answer.tool_calls] == [("City", paris)]
    assert "many inhabitants" not in answer.text
    assert len(simulator.requests(mark)) == 2


@pytest.mark.parametrize("stream", [False, True])
def test_thoughts_come_apart_and_go_back_with_their_signature(key, simulator, mark, stream):
    model = connect(key, **THINKING).bind_tools([get_weather])
    messages = [HumanMessage(f"{mark} sim:reasoning what is the weather in Paris?")]
    answer = ask(model, messages, stream)
    (thoughts,) = [block for block in answer.content if block["type"] == "thinking"]
    assert thoughts["thinking"] and thoughts["thinking"] not in answer.text
    messages += [answer, *(get_weather.invoke(call) for call in answer.tool_calls)]
    assert "18 degrees in Paris" in ask(model, messages, stream).text
    assert thoughts["signature"] in str(simulator.requests(mark)[-1]["body"])


@pytest.mark.parametrize("form", ["image_url", "image"])
def test_an_image_is_seen(model, form):
    image = png(2, 3)
    url = data_url(image)
    part = {
        "image_url": {"type": "image_url", "image_url": {"url": url}},
        "image": {"type": "image", "mime_type": "image/png", "base64": url.partition(",")[2]},
    }[form]
    answer = model.invoke([HumanMessage([{"type": "text", "text": "What is this?"}, part])])
    assert seen(image, 2, 3) in answer.text


def test_an_image_in_a_result_of_a_tool_is_taken(model, simulator, mark):
    url = data_url(png(2, 3))
    messages = [
        HumanMessage(f"{WEATHER} {mark}"),
        AIMessage("", tool_calls=[{"name": "get_weather", "args": {"city": "Paris"}, "id": "call_1"}]),
        ToolMessage([{"type": "image_url", "image_url": {"url": url}}], tool_call_id="call_1"),
    ]
    model.bind_tools([get_weather]).invoke(messages)
    (request,) = simulator.requests(mark)
    message = request["body"]["conversationState"]["currentMessage"]["userInputMessage"]
    assert message["images"] == [{"format": "png", "source": {"bytes": url.partition(",")[2]}}]


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_a_structured_output_is_parsed(model, method):
    able = model.with_structured_output(City, method=method)
    assert able.invoke("How large is Paris?") == City(name="Paris", inhabitants=1)
    if method == "json_schema":
        assert able.invoke(f"sim:echo {PARIS}") == City(name="Paris", inhabitants=2100000)


def test_tokens_are_counted(model):
    assert model.get_num_tokens_from_messages([HumanMessage("Hello")], tools=[get_weather]) > 10


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "question, kind",
    [
        ("sim:error=429", anthropic.RateLimitError),
        ("sim:error=402", anthropic.PaymentRequiredError),
        ("sim:error=500", anthropic.InternalServerError),
        ("sim:error=400,CONTENT_LENGTH_EXCEEDS_THRESHOLD", ContextOverflowError),
    ],
)
def test_a_refusal_keeps_its_class(guest, question, kind, stream):
    with pytest.raises(kind):
        ask(connect(guest), question, stream)


def test_a_wrong_key_and_an_unknown_model_are_told_apart(key):
    with pytest.raises(anthropic.AuthenticationError):
        connect(key + "x").invoke("Hi")
    with pytest.raises(anthropic.NotFoundError):
        connect(key).invoke("Hi", model="claude-none")


@pytest.mark.parametrize("question", BREAKS)
def test_a_stream_that_breaks_raises(guest, question):
    read = []
    with pytest.raises(anthropic.APIError):
        for chunk in connect(guest).stream(f"{question} sim:after=5 sim:tokens=100"):
            read.append(chunk)
    assert any(chunk.text for chunk in read)
    assert not any(chunk.response_metadata.get("stop_reason") for chunk in read)


def test_a_client_that_leaves_stops_the_upstream_stream(model, simulator, mark):
    stream = model.stream(f"{mark} sim:tokens=20000 sim:delay=20ms")
    for _ in range(5):
        next(stream)
    stream.close()
    assert simulator.wait_for_end(mark) == "cancelled"


def test_a_long_history_arrives(model, simulator, mark):
    assert model.invoke(list(long_history(mark))).text == f"the end of {mark}"
    check_history(simulator, mark)
