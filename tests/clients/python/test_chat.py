import asyncio
import base64
import json
import time

import openai
import pytest
from conftest import MODEL, connect
from gateway import SILENCE, TEXT, check_history, long_history, png


def check_stream(chunks):
    """Checks what holds for every complete stream and returns its parts in order, as (name, text)."""
    first = chunks[0]
    assert first.choices[0].delta.role == "assistant"
    for chunk in chunks:
        assert (chunk.id, chunk.created, chunk.model) == (first.id, first.created, MODEL)
        assert chunk.object == "chat.completion.chunk"
    told = [choice for chunk in chunks for choice in chunk.choices]
    assert all(choice.index == 0 for choice in told)
    assert [choice.delta.role for choice in told[1:]] == [None] * (len(told) - 1)
    assert all(choice.finish_reason is None for choice in told[:-1])
    assert told[-1].finish_reason is not None
    parts = []
    for choice in told:
        for name in ("reasoning_content", "content"):
            if text := getattr(choice.delta, name, None):
                parts.append((name, text))
    return parts


def test_an_answer_comes_whole(ask):
    completion = ask(f"sim:echo {TEXT}")
    (choice,) = completion.choices
    assert choice.message.role == "assistant"
    assert choice.message.content == TEXT
    assert choice.message.tool_calls is None
    assert choice.finish_reason == "stop"
    assert completion.object == "chat.completion"
    assert completion.model == MODEL
    assert abs(completion.created - time.time()) < 60
    usage = completion.usage
    assert usage.prompt_tokens > 0 and usage.completion_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert completion._request_id


def test_a_stream_has_the_same_text_in_pieces(ask):
    chunks = list(ask("Tell me about Paris. sim:tokens=100", stream=True))
    parts = check_stream(chunks)
    assert len(parts) > 10
    text = "".join(text for _, text in parts)
    assert text == ask("Tell me about Paris. sim:tokens=100").choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_any_text_survives_streaming(ask):
    parts = check_stream(list(ask(f"sim:echo {TEXT}", stream=True)))
    assert "".join(text for _, text in parts) == TEXT


def test_silence_is_filled_and_spoils_nothing(client, ask):
    chunks = list(ask(f"{SILENCE}sim:echo {TEXT}", stream=True))
    assert "".join(text for _, text in check_stream(chunks)) == TEXT
    empty = [chunk for chunk in chunks if chunk.choices[0].delta.model_fields_set <= {"role"}]
    assert len(empty) > 2
    messages = [{"role": "user", "content": f"{SILENCE}sim:echo {TEXT}"}]
    with client.chat.completions.stream(model=MODEL, messages=messages) as stream:
        assert stream.get_final_completion().choices[0].message.content == TEXT


def test_usage_is_streamed_when_asked_for(ask):
    chunks = list(ask("Hello", stream=True, stream_options={"include_usage": True}))
    check_stream(chunks)
    last = chunks[-1]
    assert last.choices == []
    assert last.usage.total_tokens == last.usage.prompt_tokens + last.usage.completion_tokens
    assert last.usage.completion_tokens > 0
    assert all(chunk.usage is None and chunk.choices for chunk in chunks[:-1])


def test_usage_is_not_streamed_unasked(ask):
    chunks = list(ask("Hello", stream=True))
    assert all("usage" not in chunk.model_fields_set and chunk.choices for chunk in chunks)


def test_the_stream_helper_puts_the_answer_together(client):
    messages = [{"role": "user", "content": f"sim:echo {TEXT}"}]
    with client.chat.completions.stream(model=MODEL, messages=messages) as stream:
        kinds = [event.type for event in stream]
        completion = stream.get_final_completion()
    assert kinds.count("content.done") == 1
    assert completion.choices[0].message.content == TEXT
    assert completion.choices[0].finish_reason == "stop"


def test_every_turn_reaches_the_service_once_and_in_order(client, simulator, mark):
    roles = ["system", "developer", "user", "assistant", "user", "assistant", "user"]
    messages = [{"role": role, "content": f"{mark} {n}."} for n, role in enumerate(roles)]
    client.chat.completions.create(model=MODEL, messages=messages)
    (request,) = simulator.requests(mark)
    state = request["body"]["conversationState"]
    turns = state["history"] + [state["currentMessage"]]
    sent = json.dumps(turns)
    places = [sent.find(f"{mark} {n}.") for n in range(len(roles))]
    assert -1 not in places and places == sorted(places)
    assert sent.count(mark) == len(roles)


def test_an_image_is_seen(ask):
    image = png(2, 3)
    url = "data:image/png;base64," + base64.b64encode(image).decode()
    answer = ask(
        [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": url}},
        ]
    )
    assert f"a png of {len(image)} bytes, 2 by 3 pixels" in answer.choices[0].message.content


def test_thoughts_come_apart_from_the_answer(ask):
    message = ask("Why? sim:reasoning", reasoning_effort="high").choices[0].message
    assert message.reasoning_content
    assert message.reasoning_content not in message.content


def test_thoughts_are_streamed_before_the_answer(ask):
    parts = check_stream(list(ask("Why? sim:reasoning", reasoning_effort="high", stream=True)))
    names = [name for name, _ in parts]
    turn = names.index("content")
    assert turn > 0
    assert set(names[:turn]) == {"reasoning_content"} and set(names[turn:]) == {"content"}


def test_many_questions_at_once_get_their_own_answers(key):
    async def ask_all():
        async with connect(key, openai.AsyncOpenAI) as client:
            return await asyncio.gather(*(ask_one(client, n) for n in range(20)))

    async def ask_one(client, n):
        messages = [{"role": "user", "content": f"sim:echo answer {n}"}]
        answer = await client.chat.completions.create(model=MODEL, messages=messages)
        return answer.choices[0].message.content

    assert asyncio.run(ask_all()) == [f"answer {n}" for n in range(20)]


def test_a_tenant_is_served_with_his_own_login(key, simulator, mark):
    login = simulator.login()
    with connect(f"{key}:{login['refreshToken']}") as client:
        # The second question finds the login refreshed and its first refresh token spent.
        for _ in range(2):
            messages = [{"role": "user", "content": f"Hello {mark}"}]
            answer = client.chat.completions.create(model=MODEL, messages=messages)
            assert mark in answer.choices[0].message.content
    assert [request["account"] for request in simulator.requests(mark)] == [login["account"]] * 2


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_stops_the_upstream_stream(client, simulator, mark, stream):
    question = f"{mark} sim:tokens=20000 sim:delay=20ms"
    messages = [{"role": "user", "content": question}]
    if stream:
        chunks = client.chat.completions.create(model=MODEL, messages=messages, stream=True)
        for _ in range(5):
            next(chunks)
        chunks.close()
    else:
        with pytest.raises(openai.APITimeoutError):
            impatient = client.with_options(timeout=1)
            # Without the announcement of its patience, which the gateway would answer in time.
            silent = {"x-stainless-read-timeout": openai.Omit()}
            impatient.chat.completions.create(model=MODEL, messages=messages, extra_headers=silent)
    assert simulator.wait_for_end(mark) == "cancelled"


def test_an_impatient_client_is_answered_before_it_leaves(client, simulator, mark):
    messages = [{"role": "user", "content": f"{mark} sim:tokens=20000 sim:delay=20ms"}]
    with pytest.raises(openai.InternalServerError) as raised:
        client.with_options(timeout=2).chat.completions.create(model=MODEL, messages=messages)
    assert (raised.value.status_code, raised.value.code) == (504, "upstream_timeout")
    assert simulator.wait_for_end(mark) == "cancelled"


def test_a_long_history_arrives(client, simulator, mark):
    messages = [{"role": role, "content": text} for role, text in long_history(mark)]
    answer = client.chat.completions.create(model=MODEL, messages=messages)
    assert answer.choices[0].message.content == f"the end of {mark}"
    check_history(simulator, mark)
