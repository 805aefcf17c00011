"""What comes with the package is of the default model, and is read for no other."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import interp
from analyses.shipped import page_results
from interp import engines
from interp.core.errors import CorpusError
from interp.core.prompts import Prompts
from interp.dictionaries import Cards
from interp.dictionaries.sae.catalogue import attached
from interp.dictionaries.sae.hashing import dictionary_hash
from interp.geometry.positions.parts import Parts
from interp.models import HookedModel
from interp.models.sources import shipped_folder


def half(values: torch.Tensor) -> np.ndarray:
    return values.numpy().astype(np.float16)


@pytest.mark.real_model
def test_pages_find_what_they_ask_for(real_model: HookedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine runs, and every result says what it was asked."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the model was run")

    monkeypatch.setattr(HookedModel, "run", refuse)
    monkeypatch.setattr(HookedModel, "record", refuse)
    wanted = page_results(real_model)
    assert {"position-context", "feature-cards"} < set(wanted)
    for engine, options in wanted.items():
        result = interp.precomputed(real_model, engine, **options)
        assert result.provenance.engine == engine
        assert result.provenance.weight_hash == real_model.weight_hash
    assert interp.geometry.position_parts(real_model) == str(shipped_folder(real_model.weight_hash))


@pytest.mark.real_model
def test_position_parts_of_the_embedding_are_those_of_the_windows(real_model: HookedModel) -> None:
    """The stream into the first layer is a row of the embedding a token, whose means need no run."""
    folder = shipped_folder(real_model.weight_hash)
    parts = Parts.opened(folder, real_model, 1)
    tokens = torch.from_numpy(np.stack(Cards.open(folder / "cards").harvest.tokens()))[:, 1:]
    rows = torch.nn.functional.embedding(
        tokens, real_model.bridge.original_model.get_input_embeddings().weight.double()
    )
    means = rows.mean(0).detach()
    np.testing.assert_allclose(parts.mean[0], means.mean(0), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(half(parts.position[0]), half(means - means.mean(0)))


@pytest.mark.real_model
def test_cards_are_of_the_dictionary_and_one_window_gives_their_values(real_model: HookedModel) -> None:
    cards = Cards.open(shipped_folder(real_model.weight_hash) / "cards")
    dictionary = attached(real_model)
    assert cards.harvest.about.dictionary == dictionary_hash(dictionary)
    window = Prompts.of_tokens(real_model, [cards.harvest.tokens()[3].tolist()])
    with torch.no_grad():
        values = dictionary.encode(real_model.vectors(window, dictionary.site))[0]
    places = cards.places()
    places = places[places["window"] == 3]
    assert len(places) > 20
    found = values[
        torch.from_numpy(places["pos"].to_numpy(copy=True)).long(),
        torch.from_numpy(places["feature"].to_numpy(copy=True)).long(),
    ]
    np.testing.assert_allclose(found, places["value"], rtol=1e-3, atol=1e-4)


def test_position_parts_of_another_model_are_refused(tiny: Any, tmp_path: Path) -> None:
    model, other = tiny("llama"), tiny("gpt2")
    width = model.dims.d_model
    parts = Parts(torch.ones(2, width).double(), torch.randn(2, 5, width).double(), 1)
    parts.save(tmp_path, model, 3)
    again = Parts.opened(tmp_path, model, 1)
    assert torch.equal(again.mean, parts.mean)
    np.testing.assert_array_equal(half(again.position), half(parts.position))
    with pytest.raises(CorpusError, match=f"made with model = {model.weight_hash}, not {other.weight_hash}"):
        interp.geometry.qk_split(other, "the store", statistics=str(tmp_path))
    with pytest.raises(CorpusError, match="skip = 1, not 0"):
        interp.geometry.qk_split(model, "the store", statistics=str(tmp_path), skip=0)


def test_a_result_of_another_model_or_other_options_is_not_read(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where it lies in the place of the model's own."""

    model, other = tiny("llama"), tiny("gpt2")
    monkeypatch.setattr(engines, "shipped_folder", lambda weight_hash: tmp_path)
    theirs = interp.geometry.head_composition(other, top=3)
    packed = gzip.compress(theirs.save(tmp_path / "theirs").read_bytes())
    (tmp_path / f"head-composition{engines.PACKED}").write_bytes(packed)
    assert interp.precomputed(other, "head-composition", top=3).data.identical(theirs.data)
    for asked_of, options in ((model, {"top": 3}), (other, {"top": 4})):
        result = interp.precomputed(asked_of, "head-composition", **options)
        assert result.provenance.weight_hash == asked_of.weight_hash
        assert json.loads(json.dumps(result.provenance.options))["top"] == options["top"]
