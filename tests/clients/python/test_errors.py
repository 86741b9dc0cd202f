import openai
import pytest
from conftest import MODEL, connect


@pytest.fixture
def client(key, simulator):
    """A client with an account of its own: one that was refused rests, and no other test may feel it."""
    with connect(f"{key}:{simulator.login()['refreshToken']}") as client:
        yield client


def test_a_wrong_key_is_refused(key):
    with connect(key + "x") as client, pytest.raises(openai.AuthenticationError) as caught:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hi"}])
    assert caught.value.status_code == 401
    assert caught.value.code == "invalid_api_key"


def test_a_dead_login_of_a_tenant_is_refused(key):
    with connect(f"{key}:no-such-refresh-token") as client:
        with pytest.raises(openai.AuthenticationError):
            client.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": "Hi"}]
            )


def test_an_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(
            model="gpt-none", messages=[{"role": "user", "content": "Hi"}]
        )
    assert caught.value.code == "model_not_found"
    assert MODEL in caught.value.message


def test_missing_messages_are_named(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/chat/completions", body={"model": MODEL}, cast_to=object)
    assert caught.value.param == "messages"
    assert caught.value.code == "missing_required_parameter"


@pytest.mark.parametrize(
    "options, param",
    [({"n": 3}, "n"), ({"logprobs": True}, "logprobs"), ({"web_search_options": {}}, "web_search_options")],
)
def test_what_would_change_the_answer_is_refused(ask, options, param):
    with pytest.raises(openai.BadRequestError) as caught:
        ask("Hi", **options)
    assert caught.value.param == param


def test_an_image_that_is_none_is_refused(ask):
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    with pytest.raises(openai.BadRequestError) as caught:
        ask([part])
    assert caught.value.param.startswith("messages[0].content[0]")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "question, kind, code",
    [
        ("sim:error=429", openai.RateLimitError, "rate_limit_exceeded"),
        ("sim:error=402", openai.RateLimitError, "insufficient_quota"),
        ("sim:error=500", openai.InternalServerError, "upstream_error"),
        (
            "sim:error=400,CONTENT_LENGTH_EXCEEDS_THRESHOLD",
            openai.BadRequestError,
            "context_length_exceeded",
        ),
        ("sim:cut-before-head", openai.InternalServerError, "upstream_error"),
        ("sim:html", openai.InternalServerError, "upstream_error"),
    ],
)
def test_a_refusal_before_the_first_event_keeps_its_class(ask, question, kind, code, stream):
    with pytest.raises(kind) as caught:
        ask(question, stream=stream)
    assert caught.value.code == code
    assert caught.value.message


@pytest.mark.parametrize(
    "question", ["sim:cut", "sim:reset", "sim:bad-message-crc", "sim:fault=ThrottlingException"]
)
def test_a_stream_that_breaks_raises_and_never_finishes(ask, question):
    chunks = []
    with pytest.raises(openai.APIError) as caught:
        for chunk in ask(f"{question} sim:after=5 sim:tokens=100", stream=True):
            chunks.append(chunk)
    assert caught.value.message
    assert any(chunk.choices[0].delta.content for chunk in chunks)
    assert all(chunk.choices[0].finish_reason is None for chunk in chunks)


@pytest.mark.parametrize("question", ["sim:cut", "sim:bad-message-crc"])
def test_half_an_answer_is_no_answer(ask, question):
    with pytest.raises(openai.InternalServerError):
        ask(f"{question} sim:after=5 sim:tokens=100")
