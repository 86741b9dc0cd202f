import base64
import os

import anthropic
import pytest
from anthropic import beta_tool
from anthropic.types import ThreadUnsupportedRequestError
from gateway import BOTH, BREAKS, MODEL, SILENCE, TEXT, WEATHER, check_history, long_history, png, seen
from pydantic import BaseModel

TOOL = {
    "name": "get_weather",
    "description": "The weather in a city",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


THINKING = {"thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 4000}


class Title(BaseModel):
    """A title."""

    title: str


def connect(key, max_retries=0):
    """A client that does not hide failures by trying again."""
    url = os.environ["GATEWAY_URL"]
    return anthropic.Anthropic(base_url=url, api_key=key, max_retries=max_retries, timeout=60)


@pytest.fixture(scope="module")
def client(key):
    with connect(key) as client:
        yield client


def asking(question, **options):
    messages = [{"role": "user", "content": question}]
    return {"model": MODEL, "max_tokens": 1000, "messages": messages, **options}


def ask(client, request, streamed):
    """The message whole, or put together by the package from a stream."""
    if not streamed:
        return client.messages.create(**request)
    with client.messages.stream(**request) as stream:
        return stream.get_final_message()


def test_a_message(client):
    message = client.messages.create(**asking(f"sim:echo {TEXT}"))
    assert [block.text for block in message.content] == [TEXT]
    assert message.stop_reason == "end_turn"
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0
    assert message._request_id.startswith("req_")


def test_a_stream_comes_to_the_same_message(client):
    with client.messages.stream(**asking(f"sim:echo {TEXT}")) as stream:
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert text == message.content[0].text == TEXT
    assert message.usage.input_tokens > 0


@pytest.mark.parametrize("streamed", [False, True])
def test_the_tool_loop_comes_to_an_answer(client, streamed):
    request = asking(WEATHER, tools=[TOOL])
    message = ask(client, request, streamed)
    assert message.stop_reason == "tool_use"
    (call,) = [block for block in message.content if block.type == "tool_use"]
    assert call.input == {"city": "Paris"}
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "18 degrees"}
    request["messages"] += [
        {"role": "assistant", "content": message.content},
        {"role": "user", "content": [result]},
    ]
    assert "18 degrees" in client.messages.create(**request).content[0].text


def test_silence_is_filled_and_spoils_nothing(client):
    assert ask(client, asking(f"{SILENCE}sim:echo {TEXT}"), True).content[0].text == TEXT


@pytest.mark.parametrize("streamed", [False, True])
def test_a_call_without_arguments_has_an_empty_input(client, simulator, mark, streamed):
    simulator.script(mark, [{"tool": {"name": "now", "input": {}}}])
    now = {"name": "now", "description": "The time", "input_schema": {"type": "object", "properties": {}}}
    (call,) = ask(client, asking(mark, tools=[now]), streamed).content
    assert (call.type, call.input) == ("tool_use", {})


@pytest.mark.parametrize("options", [{}, {"thread": False}])
def test_the_runner_of_tools_comes_to_an_answer(client, options):
    @beta_tool
    def get_weather(city: str) -> str:
        """The weather in a city."""
        return f"18 degrees in {city}"

    message = client.beta.messages.tool_runner(**asking(BOTH, tools=[get_weather], **options)).until_done()
    said = message.content[0].text
    assert "18 degrees in Paris" in said and "18 degrees in London" in said


def test_what_is_in_beta_has_the_same_answers(client):
    request = asking(f"sim:echo {TEXT}", betas=["context-management-2025-06-27"])
    assert client.beta.messages.create(**request).content[0].text == TEXT
    with client.beta.messages.stream(**request) as stream:
        assert stream.get_final_message().content[0].text == TEXT


def test_an_image_is_seen(client):
    image = png(2, 3)
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(image).decode()}
    content = [{"type": "text", "text": "What is this?"}, {"type": "image", "source": source}]
    assert seen(image, 2, 3) in client.messages.create(**asking(content)).content[0].text


def test_a_stop_sequence_ends_the_answer_and_is_told(client):
    message = client.messages.create(**asking("sim:echo one two three", stop_sequences=["three", "two"]))
    assert (message.content[0].text, message.stop_reason) == ("one ", "stop_sequence")
    assert message.stop_sequence == "two"


@pytest.mark.parametrize("streamed", [False, True])
def test_thoughts_before_a_call_go_back_with_its_result(client, simulator, mark, streamed):
    request = asking(f"{mark} sim:reasoning what is the weather in Paris?", tools=[TOOL], **THINKING)
    message = ask(client, request, streamed)
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
    thoughts, _, call = message.content
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "18 degrees"}
    request["messages"] += [
        {"role": "assistant", "content": message.content},
        {"role": "user", "content": [result]},
    ]
    ask(client, request, streamed)
    assert thoughts.signature in str(simulator.requests(mark)[-1]["body"])


@pytest.mark.parametrize("streamed", [False, True])
def test_thoughts_come_with_a_signature_and_go_back(client, simulator, mark, streamed):
    request = asking("sim:reasoning Why?", **THINKING)
    message = ask(client, request, streamed)
    thoughts = message.content[0]
    assert thoughts.type == "thinking" and thoughts.thinking and thoughts.signature
    request["messages"] += [
        {"role": "assistant", "content": message.content},
        {"role": "user", "content": f"sim:echo {mark}"},
    ]
    client.messages.create(**request)
    (sent,) = simulator.requests(mark)
    assert thoughts.signature in str(sent["body"])


def test_tokens_are_counted(client):
    request = asking("Hello", tools=[TOOL])
    del request["max_tokens"]
    assert client.messages.count_tokens(**request).input_tokens > 10


def test_the_models_are_listed(client):
    assert MODEL in [model.id for model in client.models.list()]


def test_an_answer_in_json(client, simulator, mark):
    simulator.script(mark, [{"text": '```json\n{"title": "x"}\n```'}])
    schema = {
        "type": "object",
        "properties": {"title": {"type": "string"}},
        "required": ["title"],
        "additionalProperties": False,
    }
    config = {"format": {"type": "json_schema", "schema": schema}}
    message = client.messages.create(**asking(mark, output_config=config))
    assert message.content[0].text == '{"title": "x"}'


def test_an_answer_in_json_is_parsed_by_the_package(client):
    message = client.messages.parse(**asking("How large is Paris?"), output_format=Title)
    assert message.parsed_output == Title(title="Paris")
    with client.messages.stream(**asking("How large is Paris?"), output_format=Title) as stream:
        assert stream.get_final_message().parsed_output == Title(title="Paris")


@pytest.mark.parametrize(
    "options, error",
    [
        ({"model": "none"}, anthropic.NotFoundError),
        ({"messages": []}, anthropic.BadRequestError),
        ({"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]}, anthropic.BadRequestError),
    ],
)
def test_a_refusal_has_its_class(client, options, error):
    with pytest.raises(error):
        client.messages.create(**{**asking("Hi"), **options})


def test_a_search_of_the_web_is_in_the_answer(client, simulator, mark):
    search = [{"tool": {"name": "web_search", "input": {"query": "rust"}}}]
    simulator.script(mark, search, has_tool_results=False)
    simulator.script(mark, [{"text": "Here it is."}], has_tool_results=True)
    tools = [{"type": "web_search_20250305", "name": "web_search", "max_uses": 2}]
    with client.messages.stream(**asking(f"Look ({mark})", tools=tools)) as stream:
        message = stream.get_final_message()
    kinds = ["server_tool_use", "web_search_tool_result", "text"]
    assert [block.type for block in message.content] == kinds
    assert message.content[1].content[0].url == "https://example.com/1"
    assert message.usage.server_tool_use.web_search_requests == 1
    said = {"role": "assistant", "content": message.content}
    history = [{"role": "user", "content": "Look"}, said, {"role": "user", "content": f"sim:echo {TEXT}"}]
    again = client.messages.create(**asking("", tools=tools) | {"messages": history})
    assert again.content[0].text == TEXT


def test_a_wrong_key_is_refused():
    with connect("wrong") as client, pytest.raises(anthropic.AuthenticationError):
        client.messages.create(**asking("Hi"))


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "question, error, words",
    [
        ("sim:error=429,x", anthropic.RateLimitError, "rate_limit_error"),
        ("sim:error=402", anthropic.PaymentRequiredError, "billing_error"),
        ("sim:error=500", anthropic.InternalServerError, "api_error"),
        ("sim:error=429,INSUFFICIENT_MODEL_CAPACITY", anthropic.OverloadedError, "overloaded_error"),
        ("sim:error=400,CONTENT_LENGTH_EXCEEDS_THRESHOLD", anthropic.BadRequestError, "prompt is too long"),
    ],
)
def test_a_refusal_of_the_service_keeps_its_class(guest, question, error, words, streamed):
    with connect(guest) as client, pytest.raises(error, match=words):
        ask(client, asking(question), streamed)


def test_a_rate_limit_is_waited_for_and_tried_again(guest, simulator, mark):
    body = {"message": "Slower", "reason": "x"}
    simulator.script(mark, [{"http_error": {"status": 429, "body": body, "retry_after_ms": 1000}}], times=1)
    simulator.script(mark, [{"text": "Here"}])
    with connect(guest, max_retries=2) as client:
        answer = client.messages.with_raw_response.create(**asking(mark))
    assert answer.parse().content[0].text == "Here"
    assert answer.retries_taken == 1


def test_a_thread_is_refused_by_its_own_class(client):
    thread = client.beta.messages.thread(model=MODEL, max_tokens=1000)
    with pytest.raises(ThreadUnsupportedRequestError):
        thread.send({"role": "user", "content": "Hi"})


@pytest.mark.parametrize("question", BREAKS)
def test_a_stream_that_breaks_is_an_error(guest, question):
    read = []
    with connect(guest) as client, pytest.raises(anthropic.APIStatusError):
        with client.messages.stream(**asking(f"{question} sim:after=5 sim:tokens=100")) as stream:
            for text in stream.text_stream:
                read.append(text)
    assert read


def test_a_long_history_arrives(client, simulator, mark):
    messages = [{"role": role, "content": text} for role, text in long_history(mark)]
    message = client.messages.create(**{**asking(""), "messages": messages})
    assert message.content[0].text == f"the end of {mark}"
    check_history(simulator, mark)


def test_who_leaves_ends_the_stream_of_the_service(client, simulator, mark):
    question = f"sim:tokens=5 sim:after=1 sim:hang {mark}"
    with client.messages.stream(**asking(question)) as stream:
        next(iter(stream.text_stream))
    assert simulator.wait_for_end(mark) == "cancelled"
