import gc

import pytest


@pytest.fixture(autouse=True)
def collect_between_tests():
    """LiteLLM leaves a stream that broke to the garbage collector. Closing it takes the lock of httpcore's pool; where the
    collector runs while that lock is held, for ever (seen with httpcore 1.0, November 2026)."""
    gc.disable()
    yield
    gc.enable()
    gc.collect()
