"""aider, as a person runs it in a repository, with `--message` instead of a keyboard.

aider puts its rules behind the question, so the simulated service's answers are scripted.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from gateway import BASE_URL, MODEL

AIDER = Path(sys.executable).with_name("aider")

BEFORE = 'def greet():\n    return "hello"\n'
AFTER = 'def greet():\n    return "goodbye"\n'
EDIT = """It says goodbye now.

greet.py
```
<<<<<<< SEARCH
    return "hello"
=======
    return "goodbye"
>>>>>>> REPLACE
```
"""

# The map of the repository needs scipy, which is as large as all the rest; nothing of it reaches the gateway.
OPTIONS = [
    *("--model", f"openai/{MODEL}"),
    *("--map-tokens", "0"),
    *("--yes-always", "--no-pretty", "--no-gitignore"),
    *("--analytics-disable", "--no-check-update", "--no-show-release-notes", "--no-show-model-warnings"),
]


class Project:
    """A repository with one file, and a home folder of its own."""

    def __init__(self, folder):
        self.home = folder / "home"
        self.folder = folder / "project"
        self.file = self.folder / "greet.py"
        self.home.mkdir()
        self.folder.mkdir()
        self.file.write_text(BEFORE)
        self.git("init", "--quiet")
        self.git("config", "user.name", "Test")
        self.git("config", "user.email", "test@example.com")
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", "first")

    def environment(self, key):
        # Nothing but the gateway is to be reached: aider would look for prices and versions.
        nowhere = "http://127.0.0.1:1"
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "OPENAI_API_BASE": BASE_URL,
            "OPENAI_API_KEY": key,
            "HTTPS_PROXY": nowhere,
            "HTTP_PROXY": nowhere,
            "NO_PROXY": "127.0.0.1",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        }

    def git(self, *arguments):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home)}
        command = ["git", *arguments]
        result = subprocess.run(
            command, cwd=self.folder, env=environment, check=True, capture_output=True, text=True
        )
        return result.stdout

    def aider(self, key, message, *options):
        """What aider says; its lines are joined, because it breaks them to the width of a terminal."""
        command = [AIDER, *OPTIONS, *options, "--message", message, "greet.py"]
        result = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(key),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert result.returncode == 0, result.stdout
        return " ".join(result.stdout.split())


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


@pytest.mark.parametrize("options", [[], ["--no-stream"]], ids=["streamed", "whole"])
def test_a_file_is_edited_and_committed(project, key, simulator, mark, options):
    simulator.script(mark, [{"text": "fix: say goodbye"}], nth=2)
    simulator.script(mark, [{"text": EDIT}])
    said = project.aider(key, f"Make it say goodbye. {mark}", *options)
    assert "Applied edit to greet.py" in said
    assert project.file.read_text() == AFTER
    # The words of the commit are a second question.
    assert project.git("log", "-1", "--format=%s") == "fix: say goodbye\n"


def test_a_stream_that_breaks_is_asked_for_again(project, key, simulator, mark):
    half = EDIT[: EDIT.index("=======")]
    simulator.script(mark, [{"text": half}, "cut"], times=1)
    simulator.script(mark, [{"text": EDIT}])
    said = project.aider(key, f"Make it say goodbye. {mark}", "--no-auto-commits")
    assert "what was sent so far is incomplete" in said and "Retrying in" in said
    assert said.count("Applied edit to greet.py") == 1
    assert project.file.read_text() == AFTER


def test_thoughts_are_not_taken_for_the_answer(project, key, simulator, mark):
    thought = {"reasoning": {"text": "The file could say goodbye.", "signature": "c2lnbmVk"}}
    simulator.script(mark, [thought, {"text": EDIT}])
    said = project.aider(key, f"Make it say goodbye. {mark}", "--no-auto-commits")
    assert "THINKING" in said
    assert said.index("The file could say goodbye.") < said.index("ANSWER") < said.index("It says goodbye now.")
    assert project.file.read_text() == AFTER


def test_a_refusal_is_shown(project, key):
    said = project.aider(key + "x", "Hi")
    assert "litellm.AuthenticationError" in said
    assert project.file.read_text() == BEFORE


def test_a_conversation_that_is_too_long_is_told_as_such(project, guest):
    said = project.aider(guest, "Hi sim:error=400,CONTENT_LENGTH_EXCEEDS_THRESHOLD")
    assert "has hit a token limit!" in said
    assert project.file.read_text() == BEFORE
