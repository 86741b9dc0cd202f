import os

import anthropic
import pytest
from gateway import MODEL, TEXT, WEATHER

TOOL = {
    "name": "get_weather",
    "description": "The weather in a city",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


def connect(key):
    """A client that does not hide failures by trying again."""
    url = os.environ["GATEWAY_URL"]
    return anthropic.Anthropic(base_url=url, api_key=key, max_retries=0, timeout=60)


@pytest.fixture(scope="module")
def client(key):
    with connect(key) as client:
        yield client


def asking(question, **options):
    messages = [{"role": "user", "content": question}]
    return {"model": MODEL, "max_tokens": 1000, "messages": messages, **options}


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
    if streamed:
        with client.messages.stream(**request) as stream:
            message = stream.get_final_message()
    else:
        message = client.messages.create(**request)
    assert message.stop_reason == "tool_use"
    (call,) = [block for block in message.content if block.type == "tool_use"]
    assert call.input == {"city": "Paris"}
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "18 degrees"}
    request["messages"] += [
        {"role": "assistant", "content": message.content},
        {"role": "user", "content": [result]},
    ]
    assert "18 degrees" in client.messages.create(**request).content[0].text


def test_thoughts_come_with_a_signature_and_go_back(client, simulator, mark):
    request = asking("sim:reasoning Why?", thinking={"type": "enabled", "budget_tokens": 2048})
    request["max_tokens"] = 4000
    with client.messages.stream(**request) as stream:
        message = stream.get_final_message()
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


def test_a_rate_limit_is_one(guest):
    with connect(guest) as client, pytest.raises(anthropic.RateLimitError):
        client.messages.create(**asking("sim:error=429,x"))


def test_a_stream_that_breaks_is_an_error(client):
    question = "sim:cut sim:after=5 sim:tokens=100"
    with pytest.raises(anthropic.APIStatusError), client.messages.stream(**asking(question)) as stream:
        stream.get_final_message()


def test_who_leaves_ends_the_stream_of_the_service(client, simulator, mark):
    question = f"sim:tokens=5 sim:after=1 sim:hang {mark}"
    with client.messages.stream(**asking(question)) as stream:
        next(iter(stream.text_stream))
    assert simulator.wait_for_end(mark) == "cancelled"
