"""What the tests share: the clients, and what the simulated service can be asked.

`cargo xtask clients python` starts a gateway and a simulated Kiro service and sets GATEWAY_URL, GATEWAY_KEY
and SIMULATOR_URL. Words such as `sim:reasoning` in a question choose what the simulated service does; the
crate page of kiro-sim lists them.
"""

import json
import os
import time
import urllib.request
import uuid

import openai
import pytest

MODEL = "claude-sonnet-4-5"


class Simulator:
    """The simulated service's control plane."""

    def __init__(self, url):
        self.url = url

    def requests(self, mark):
        """The questions that contain a mark, as the service received them."""
        received = self._call("GET", "requests?operation=Generate")
        return [request for request in received if mark in json.dumps(request["body"])]

    def login(self):
        """A new account, signed in."""
        return self._call("POST", "tokens", {"kind": "social"})

    def wait_for_end(self, mark, seconds=10):
        """How the only stream whose question contains a mark ended: completed, broken or cancelled."""
        deadline = time.monotonic() + seconds
        while True:
            (request,) = self.requests(mark)
            if request["ended"] or time.monotonic() > deadline:
                return request["ended"]
            time.sleep(0.02)

    def _call(self, method, path, body=None):
        request = urllib.request.Request(
            f"{self.url}/__sim/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request) as response:
            return json.load(response)


def connect(key, client=openai.OpenAI):
    """A client that does not hide failures by trying again."""
    return client(base_url=os.environ["GATEWAY_URL"] + "/v1", api_key=key, max_retries=0, timeout=60)


@pytest.fixture(scope="session")
def key():
    return os.environ["GATEWAY_KEY"]


@pytest.fixture(scope="session")
def client(key):
    with connect(key) as client:
        yield client


@pytest.fixture(scope="session")
def simulator():
    return Simulator(os.environ["SIMULATOR_URL"])


@pytest.fixture
def mark():
    """A word that only the test's own request contains."""
    return f"mark-{uuid.uuid4().hex}"


@pytest.fixture
def ask(client):
    """Asks one question; keyword arguments are passed on."""

    def ask(question, **options):
        messages = [{"role": "user", "content": question}]
        return client.chat.completions.create(model=MODEL, messages=messages, **options)

    return ask
