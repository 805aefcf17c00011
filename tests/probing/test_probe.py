"""The sweep: planted and absent labels, states and changes against plain runs."""

import numpy as np
import pytest
import torch
from asking import some
from reading import sentences, streams
from tiny import FAMILIES

import interp
from interp.core.errors import OptionError, PromptError
from interp.core.labelled import Item, LabelledPrompts
from interp.core.prompts import Prompts
from interp.corpus.harvest import States
from interp.corpus.labels import labelled
from interp.models import Edit
from interp.models.untrained import untrained
from interp.probing import probe
from interp.probing.columns import Column
from interp.probing.erasing import leace

CAUSAL = [family for family in FAMILIES if not family.startswith("bert")]


@some("family", CAUSAL, always=("llama",))
def test_a_planted_label_is_read_and_an_absent_one_is_not(family, tiny):
    """At the name itself a probe is right; before it, it is at chance, and so is everything that is done there."""
    data = probe(tiny(family), labels="planted", n=200, offsets=(-1, 0), change="leace").data
    absent, there = (data.sel(pos=pos) for pos in (-1, 0))
    assert there["accuracy"].values[0] == 1
    assert there["untrained"].values[0] == 1
    assert there["bag_of_tokens"] == 1
    np.testing.assert_allclose(absent["accuracy"], 0.5)
    assert absent["bag_of_tokens"] == 0.5
    np.testing.assert_allclose(absent["divergence"], 0, atol=1e-6)
    low, high = there["shuffled_interval"].values[0]
    assert low <= 0.5 <= high
    assert there["by_type"].isnull().all()  # the names are the types: labels by type are the names, or exchanged
    np.testing.assert_allclose(there["selectivity"], there["accuracy"] - there["shuffled"])


def test_an_erased_label_is_gone_where_it_was(tiny):
    """Erased from the last stream, the probe of the last stream is at chance or below; the answers move at the name."""
    data = probe(tiny("llama", "float64"), labels="planted", n=120, changed=40).data.isel(pos=0)
    assert data["erased_accuracy"].values[-1] <= 0.5
    assert (data["divergence"].values > 0).all()


def test_on_a_corpus_by_rule(tiny):
    """Whether a token begins a word is embedded with the token."""
    result = probe(tiny("llama"), windows=6, length=40, items=150, changed=2)
    assert result.data.attrs["labels"] == "not word, word"
    assert result.values("accuracy").values[0, 0] > 0.8
    with pytest.raises(OptionError, match="brings prompts of its own"):
        probe(tiny("llama"), "mary and john", labels="planted")
    with pytest.raises(OptionError, match=r"give a \.jsonl or \.csv file"):
        probe(tiny("llama"), labels="nonsense")
    with pytest.raises(PromptError, match="every label is 'not seen'"):
        probe(tiny("llama"), "mary and john went", labels="seen", skip=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_states_are_those_of_plain_runs(family, tiny):
    model, texts = tiny(family, "float64"), sentences(family, 5)
    prompts = Prompts.of(model, texts)
    places = [(row, pos) for row in range(5) for pos in range(int(prompts.mask[row].sum()))]
    states = States(model, prompts, places)
    for layer, rows in enumerate(streams(model, texts, 0)):
        np.testing.assert_allclose(states.at(places, layer), rows, atol=1e-10)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_untrained_model_is_finite_and_another(family, tiny):
    model = tiny(family)
    fresh, prompts = untrained(model), Prompts.of(model, sentences(family, 2))
    assert fresh.weight_hash not in (model.weight_hash, untrained(model, 1).weight_hash)
    assert fresh.weight_hash == untrained(model).weight_hash
    places = [(0, 0), (1, 2)]
    assert np.isfinite(States(fresh, prompts, places).at(places, model.dims.layers)).all()


@some("family", FAMILIES, always=("llama", "bert-masked"))
def test_changes_are_those_of_whole_runs_item_by_item(family, tiny):
    """Erased on one item at a time, from the embeddings up; items of the first fold, fitted on the others."""
    model, texts = tiny(family, "float64"), sentences(family, 8)
    prompts = Prompts.of(model, texts)
    items = [
        Item(row, pos, "ab"[(pos + row) % 2], f"{row}")
        for row in range(8)
        for pos in range(2, int(prompts.mask[row].sum()))
    ]
    given = LabelledPrompts.of_items(prompts, items)
    data = probe(model, given, changed=10**6, control="none").data.isel(pos=0)
    column = Column.of(labelled(given, probe.parse_options({})), 0, 5, 0)
    train, test = column.split.folds[0]
    states = States(model, prompts, column.places)
    for layer in (0, 2, model.dims.layers):
        erase = leace(states.at([column.places[at] for at in train], layer), column.codes[train])
        site = model.stream_sites()[layer]
        apart = []
        for at in test:
            row, pos = column.places[at]
            one = Prompts.of(model, texts[row])
            value = torch.from_numpy(erase(states.at([(row, pos)], layer)))
            clean, edited = (model.run(one, edits=edits).logits for edits in ([], [Edit.replace(site, value, pos=pos)]))
            place = slice(None) if model.pools else (0, one.width - 1 if model.is_classifier else pos)
            before, after = clean[place].reshape(-1).log_softmax(-1), edited[place].reshape(-1).log_softmax(-1)
            apart.append(float((before.exp() * (before - after)).sum()))
        np.testing.assert_allclose(data["divergence"].values[layer], np.mean(apart), rtol=1e-6, atol=1e-9)


def test_the_direction_and_its_distance(tiny):
    """The mean difference is the classes', and the whole of it lies along it."""
    model = tiny("gpt2", "float64")
    result = probe(model, labels="planted", n=20, method="mean-difference", change="none", control="none")
    given = labelled(
        interp.corpus.labels.labelled_prompts(model, probe.parse_options({"labels": "planted", "n": 20})),
        probe.parse_options({}),
    )
    places = [(item.row, item.pos) for item in given.items]
    assert list(result.data["target"].values) == ["Mary"]
    mary = np.array([item.label == "Mary" for item in given.items])
    for layer in range(model.dims.layers + 1):
        states = States(model, given, places).at(places, layer)
        difference = states[mary].mean(0) - states[~mary].mean(0)
        direction, distance = (result.data[name].values[0, layer, 0] for name in ("direction", "distance"))
        np.testing.assert_allclose(direction * distance, difference, atol=1e-9)
    assert set(result.to_frame("distances").columns) == {"target", "layer", "pos", "distance"}


def test_three_labels_have_a_direction_each(tiny):
    model = tiny("llama")
    prompts = Prompts.of(model, sentences("llama", 12))
    words = ("x", "y", "z")
    given = LabelledPrompts.of_items(
        prompts, [Item(row, pos, words[pos % 3], f"{row}") for row in range(12) for pos in range(1, 5)]
    )
    result = probe(model, given, method="codelength", change="projection", changed=4)
    assert list(result.data["target"].values) == ["x", "y", "z"]
    np.testing.assert_allclose(np.linalg.norm(result.values("direction").values, axis=-1), 1)
    assert np.isfinite(result.values("codelength")).all()
    assert result.data.attrs["chance"] == "0.333333"


def test_what_cannot_be_held_out_is_unknown(tiny):
    """One group: a direction, and nothing else."""
    result = probe(tiny("llama"), "mary and john went to the store", labels="half", skip=0)
    assert "one group" in result.measured
    assert np.isnan(result.values("accuracy")).all()
    assert np.isfinite(result.values("distance")).all()


def test_the_metric_is_measured_too(tiny):
    model = tiny("llama")
    prompts = Prompts.of(model, sentences("llama", 6), target=" Mary", contrast=" John")
    result = probe(model, prompts, labels="half", skip=0, change="add", changed=3)
    assert result.data["effect"].attrs["unit"] == "logits"
    assert np.isfinite(result.values("effect")).all()


@pytest.mark.real_model
@pytest.mark.slow
def test_a_name_on_the_default_model(real_model):
    """Carried to the next token by the middle layers, and absent before it."""
    data = probe(real_model, labels="planted", n=60, offsets=(-1, 0, 1), control="none", change="none").data
    np.testing.assert_allclose(data["accuracy"].sel(pos=-1), 0.5)
    np.testing.assert_allclose(data["accuracy"].sel(pos=0)[:-1], 1)
    assert data["accuracy"].sel(pos=1)[15] > 0.8
