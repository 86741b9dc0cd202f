import openai
import pytest
from conftest import MODEL

EXPECTED = {
    "claude-opus-4-5",
    "claude-opus-4-5-20251101",
    "claude-sonnet-4-5",
    "claude-sonnet-4-5-20250929",
    "claude-sonnet-4",
    "claude-sonnet-4-20250514",
    "claude-haiku-4-5",
    "claude-haiku-4-5-20251001",
    "claude-3-7-sonnet-20250219",
}


def test_the_list_has_the_well_known_models(client):
    models = client.models.list()
    ids = [model.id for model in models]
    assert EXPECTED <= set(ids)
    assert len(ids) == len(set(ids))
    assert all(model.object == "model" and model.created > 0 and model.owned_by for model in models)


def test_each_listed_model_can_be_retrieved(client):
    for listed in client.models.list():
        assert client.models.retrieve(listed.id) == listed


def test_an_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-none")
    assert caught.value.code == "model_not_found"
    assert MODEL in caught.value.message
