"""What the README shows works as it stands, except for address and key."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

README = pathlib.Path(__file__).parents[3] / "README.md"


def example(language, word):
    """The block of code in a language that contains a word, with the address of the gateway under test."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)
    (block,) = [block for block in blocks if word in block]
    return block.replace("http://127.0.0.1:8000", os.environ["GATEWAY_URL"])


def test_the_python_example_prints_an_answer(key, capsys):
    code = example("python", "OpenAI").replace('"PROXY_API_KEY"', repr(key))
    exec(compile(code, README, "exec"), {})
    assert "Hello!" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_curl_line_streams(key):
    line = re.sub(r"Bearer [^']+", f"Bearer {key}", example("sh", "curl"))
    said = subprocess.run(["sh", "-c", line], check=True, capture_output=True, text=True).stdout
    assert said.count("data: ") > 3
    assert said.endswith("data: [DONE]\n\n")
