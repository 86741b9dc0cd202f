"""What the tests share: the clients. The rest is in the folder `shared`."""

import openai
import pytest
from gateway import BASE_URL, MODEL


def connect(key, client=openai.OpenAI):
    """A client that does not hide failures by trying again."""
    return client(base_url=BASE_URL, api_key=key, max_retries=0, timeout=60)


@pytest.fixture(scope="session")
def client(key):
    with connect(key) as client:
        yield client


@pytest.fixture
def ask(client):
    """Asks one question; keyword arguments are passed on."""

    def ask(question, **options):
        messages = [{"role": "user", "content": question}]
        return client.chat.completions.create(model=MODEL, messages=messages, **options)

    return ask
