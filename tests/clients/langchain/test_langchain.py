"""LangChain's ChatOpenAI, with base_url and api_key and nothing else that is special."""

import asyncio
import json

import openai
import pytest
from gateway import (
    BASE_URL, BOTH, BREAKS, MODEL, SILENCE, TEXT, WEATHER, check_history, data_url, long_history, png, seen,
)
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"18 degrees in {city}"


class City(BaseModel):
    """A city."""

    name: str
    inhabitants: int


PARIS = '{"name": "Paris", "inhabitants": 2100000}'


def connect(key, **options):
    """A model that does not hide failures by trying again."""
    return ChatOpenAI(model=MODEL, base_url=BASE_URL, api_key=key, max_retries=0, timeout=60, **options)


@pytest.fixture(scope="module")
def model(key):
    return connect(key)


def collect(stream):
    """The chunks of a stream, added up the way LangChain's own callers do."""
    whole = None
    for chunk in stream:
        whole = chunk if whole is None else whole + chunk
    return whole


def test_an_answer_comes_whole(model):
    answer = model.invoke([SystemMessage("Be brief."), HumanMessage(f"sim:echo {TEXT}")])
    assert answer.content == TEXT
    assert answer.response_metadata["finish_reason"] == "stop"
    assert answer.response_metadata["model_name"] == MODEL
    usage = answer.usage_metadata
    assert usage["input_tokens"] > 0 and usage["output_tokens"] > 0


def test_a_stream_adds_up_to_the_answer(model):
    answer = collect(model.stream(f"sim:echo {TEXT}"))
    assert answer.content == TEXT
    assert answer.response_metadata["finish_reason"] == "stop"


def test_silence_is_filled_and_spoils_nothing(model):
    assert collect(model.stream(f"{SILENCE}sim:echo {TEXT}")).content == TEXT


def test_a_stream_tells_its_usage_when_asked(key):
    usage = collect(connect(key, stream_usage=True).stream("Hello")).usage_metadata
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0


def test_an_asynchronous_stream_adds_up_too(key):
    async def read():
        model = connect(key)
        return [chunk.content async for chunk in model.astream(f"sim:echo {TEXT}")]

    pieces = asyncio.run(read())
    assert len(pieces) > 5
    assert "".join(pieces) == TEXT


@pytest.mark.parametrize("stream", [False, True])
def test_the_tool_loop_comes_to_an_answer(model, stream):
    able = model.bind_tools([get_weather])
    ask = (lambda messages: collect(able.stream(messages))) if stream else able.invoke
    messages = [HumanMessage(BOTH)]
    answer = ask(messages)
    assert answer.response_metadata["finish_reason"] == "tool_calls"
    assert [call["name"] for call in answer.tool_calls] == ["get_weather"] * 2
    assert [call["args"]["city"] for call in answer.tool_calls] == ["Paris", "London"]
    messages += [answer, *(get_weather.invoke(call) for call in answer.tool_calls)]
    said = ask(messages).content
    assert "18 degrees in Paris" in said and "18 degrees in London" in said


def test_an_image_in_a_result_of_a_tool_is_taken(model, simulator, mark):
    url = data_url(png(2, 3))
    call = {"name": "get_weather", "args": {"city": "Paris"}, "id": "call_1"}
    messages = [
        HumanMessage(f"{WEATHER} {mark}"),
        AIMessage("", tool_calls=[call]),
        ToolMessage([{"type": "image_url", "image_url": {"url": url}}], tool_call_id="call_1"),
    ]
    answer = model.bind_tools([get_weather]).invoke(messages)
    assert "The tool answered: The image is attached to this message." in answer.content
    # The simulated service says nothing of pictures beside results, but it has this one.
    (request,) = simulator.requests(mark)
    message = request["body"]["conversationState"]["currentMessage"]["userInputMessage"]
    assert message["images"] == [{"format": "png", "source": {"bytes": url.partition(",")[2]}}]


@pytest.mark.parametrize("form", ["image_url", "image"])
def test_an_image_is_seen(model, form):
    image = png(2, 3)
    url = data_url(image)
    part = {
        "image_url": {"type": "image_url", "image_url": {"url": url}},
        "image": {"type": "image", "mime_type": "image/png", "base64": url.partition(",")[2]},
    }[form]
    answer = model.invoke([HumanMessage([{"type": "text", "text": "What is this?"}, part])])
    assert seen(image, 2, 3) in answer.content


def test_an_answer_in_json_is_parsed(model):
    city = model.with_structured_output(City).invoke(f"sim:echo {PARIS}")
    assert city == City(name="Paris", inhabitants=2100000)
    city = model.with_structured_output(City).invoke("How large is Paris?")
    assert city == City(name="Paris", inhabitants=1)
    plain = model.with_structured_output(method="json_mode").invoke(f"sim:echo {PARIS}")
    assert plain == {"name": "Paris", "inhabitants": 2100000}


def test_a_call_in_place_of_an_answer_is_parsed(model):
    able = model.with_structured_output(City, method="function_calling")
    assert able.invoke("Call the tool for Paris.").name == "Paris"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("choice", ["any", "City"])
def test_a_tool_that_was_not_called_is_asked_for_again(model, simulator, mark, choice, stream):
    paris = {"name": "Paris", "inhabitants": 2100000}
    simulator.script(mark, [{"text": "Paris has many inhabitants."}], times=1)
    simulator.script(mark, [{"tool": {"name": "City", "input": paris}}])
    able = model.bind_tools([City], tool_choice=choice)
    question = f"Paris, {mark}"
    answer = collect(able.stream(question)) if stream else able.invoke(question)
    assert [(call["name"], call["args"]) for call in answer.tool_calls] == [("City", paris)]
    assert "many inhabitants" not in answer.content
    _, again = simulator.requests(mark)
    assert "An answer without a tool call was refused." in json.dumps(again["body"])


def test_thoughts_do_not_leak_into_the_answer(key):
    thinking = connect(key, reasoning_effort="high")
    answer = thinking.invoke("Why? sim:reasoning")
    assert answer.content and "<think" not in answer.content
    assert collect(thinking.stream("Why? sim:reasoning")).content == answer.content


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "question, kind",
    [
        ("sim:error=429", openai.RateLimitError),
        ("sim:error=402", openai.RateLimitError),
        ("sim:error=500", openai.InternalServerError),
        ("sim:error=400,CONTENT_LENGTH_EXCEEDS_THRESHOLD", openai.BadRequestError),
    ],
)
def test_a_refusal_keeps_its_class(guest, question, kind, stream):
    model = connect(guest)
    with pytest.raises(kind):
        collect(model.stream(question)) if stream else model.invoke(question)


def test_a_wrong_key_and_an_unknown_model_are_told_apart(key):
    with pytest.raises(openai.AuthenticationError):
        connect(key + "x").invoke("Hi")
    with pytest.raises(openai.NotFoundError):
        connect(key).invoke("Hi", model="gpt-none")


@pytest.mark.parametrize("question", BREAKS)
def test_a_stream_that_breaks_raises(guest, question):
    read = []
    with pytest.raises(openai.APIError):
        for chunk in connect(guest).stream(f"{question} sim:after=5 sim:tokens=100"):
            read.append(chunk)
    assert any(chunk.content for chunk in read)
    assert not any(chunk.response_metadata.get("finish_reason") for chunk in read)


def test_a_client_that_leaves_stops_the_upstream_stream(model, simulator, mark):
    stream = model.stream(f"{mark} sim:tokens=20000 sim:delay=20ms")
    for _ in range(5):
        next(stream)
    stream.close()
    assert simulator.wait_for_end(mark) == "cancelled"


def test_a_long_history_arrives(model, simulator, mark):
    answer = model.invoke(list(long_history(mark)))
    assert answer.content == f"the end of {mark}"
    check_history(simulator, mark)
