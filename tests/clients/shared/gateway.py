"""What the tests of all Python clients share: the gateway, the simulated service, and things to ask.

`cargo xtask clients` starts a gateway and a simulated Kiro service, sets GATEWAY_URL, GATEWAY_KEY and
SIMULATOR_URL, and loads this as a plugin of pytest. Words such as `sim:reasoning` in a question choose what
the simulated service does; the crate page of kiro-sim lists them.
"""

import base64
import json
import os
import struct
import time
import urllib.request
import uuid
import zlib

import pytest

MODEL = "claude-sonnet-4-5"
BASE_URL = os.environ["GATEWAY_URL"] + "/v1"

TEXT = 'Grüße, "Paris"! 🗼\n\tA backslash \\ and a line separator \u2028 end it.'
WEATHER = "What is the weather in Paris?"
BOTH = "What is the weather in both Paris and London?"
"""The simulated service answers with two calls of a tool whose name speaks of the weather."""

SILENCE = "sim:silence=1s sim:after=2 "
"""Before `sim:echo`: the gateway fills it with what means nothing."""

BREAKS = ["sim:cut", "sim:reset", "sim:bad-message-crc", "sim:fault=ThrottlingException"]
"""What ends a stream in the middle; with ` sim:after=5 sim:tokens=100` there is text before."""


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

    def script(self, mark, steps, **match):
        """Answers the questions that contain a mark with these steps."""
        self._call("POST", "scripts", {"match": {"body_contains": mark, **match}, "script": steps})

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


@pytest.fixture(scope="session")
def key():
    return os.environ["GATEWAY_KEY"]


@pytest.fixture(scope="session")
def simulator():
    return Simulator(os.environ["SIMULATOR_URL"])


@pytest.fixture
def guest(key, simulator):
    """A key with an account of its own: one that was refused rests, and no other test may feel it."""
    return f"{key}:{simulator.login()['refreshToken']}"


@pytest.fixture
def mark():
    """A word that only the test's own request contains."""
    return f"mark-{uuid.uuid4().hex}"


def png(width, height):
    """A red rectangle."""

    def piece(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\0" + b"\xff\0\0" * width) * height
    data = piece(b"IHDR", head) + piece(b"IDAT", zlib.compress(rows)) + piece(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


def data_url(image):
    return "data:image/png;base64," + base64.b64encode(image).decode()


def seen(image, width, height):
    """How the simulated service speaks of a picture."""
    return f"a png of {len(image)} bytes, {width} by {height} pixels"


def long_history(mark, turns=200):
    """A conversation of many turns that ends with a question, as (role, text)."""
    for turn in range(turns):
        yield "user", f"Question {turn} of {mark}"
        yield "assistant", f"Answer {turn} to {mark}"
    yield "user", f"sim:echo the end of {mark}"


def check_history(simulator, mark, turns=200):
    """All turns have reached the service, in order and complete."""
    (request,) = simulator.requests(mark)
    body = json.dumps(request["body"])
    places = [body.index(f"{word} {turn} ") for turn in range(turns) for word in ("Question", "Answer")]
    assert places == sorted(places)
