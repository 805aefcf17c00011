"""The tables are the engines' numbers, the four prompts what they are said to be, and the document is filled."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import interp
from analyses.attention_features import checks, origins, run, site
from analyses.attention_features.fourfold import cause_shares, fourfold
from analyses.attention_features.layer import Layer
from interp import tasks
from interp.dictionaries import attached
from interp.models import Edit


@pytest.fixture
def model(tiny):
    return tiny("llama")


@pytest.fixture
def layer(model):
    return Layer(model, tasks.ioi(model, n=4), attached(model))


def test_four_prompts_of_every_pair(model):
    pairs = tasks.ioi(model, n=4)
    found = fourfold(model, pairs)
    assert len(found) == 16
    for row, (target, contrast) in enumerate(
        zip(pairs.metric.target_labels, pairs.metric.contrast_labels, strict=True)
    ):
        four = found.texts[4 * row : 4 * row + 4]
        assert {pairs.clean.texts[row], pairs.corrupted.texts[row]} < set(four)
        for place in (0, 1):  # the second, the first
            for name, repeated in enumerate((contrast, target)):
                labels = found.labels[4 * row + 2 * place + name]
                names = [label for label in labels if label in (target, contrast)]
                assert names[2] == repeated
                assert names[:2].index(repeated) == 1 - place


def test_shares_of_planted_causes():
    cells = np.zeros((3, 2, 2, 5))
    cells[:, 0] += 3  # place
    cells[:, :, 0] += 1  # name
    found = cause_shares(cells.reshape(12, 5))
    assert_allclose([found[cause][0] for cause in ("place", "name", "order")], [0.9, 0.1, 0])
    values = np.random.default_rng(0).normal(size=(12, 5))
    within = values.reshape(3, 4, 5) - values.reshape(3, 4, 5).mean(1, keepdims=True)
    means = values.reshape(3, 2, 2, 5).mean(2)
    place = 4 * ((means[:, 0] - means[:, 1]) / 2) ** 2
    assert_allclose(cause_shares(values)["place"][0], place.sum() / (within**2).sum())
    assert_allclose(sum(share for share, *_ in cause_shares(values).values()), 1)


def test_edits_of_the_layer(layer):
    engine = interp.dictionaries.feature_ablation
    feature = int(layer.features.flatten(0, 1).sum(0).argmax())
    removed = engine(layer.model, layer.pairs.clean, metric=layer.metric, features=(feature,), draws=2).data["effect"]
    assert_allclose(layer.effect(layer.silence([feature])), removed, atol=1e-5)
    # All features exchanged and what they miss exchanged are together the whole site exchanged.
    whole = layer.other - layer.values
    parts = sum(edit.applied(layer.values) - layer.values for edit in (layer.exchange(), layer.exchange_error()))
    assert torch.allclose(parts, whole, atol=1e-5)
    assert_allclose(
        layer.effect(Edit.resample(layer.site, layer.other)),
        interp.dictionaries.feature_attribution(layer.model, layer.pairs).data["patched"],
        atol=1e-5,
    )


def test_sources_add_up_by_role(layer):
    values = interp.dictionaries.dfa(layer.model, layer.pairs.clean, feature=3, recursive=False).data["dfa"].values
    found = origins.by_role(layer.pairs, values)
    assert_allclose(sum(found.values()), values.sum(1))
    second = [
        list(row).index(name) for row, name in zip(layer.pairs.clean.labels, layer.metric.target_labels, strict=True)
    ]
    assert_allclose(found["IO"], values[np.arange(4), second])


def test_strongest_features_are_those_of_the_engine(layer):
    found = site.attribute(layer.model, layer.pairs, "", steps=2)
    means = np.abs(found.effects.mean(0))
    assert_allclose(means[found.strongest(3)], np.sort(means)[::-1][:3])
    assert_allclose(found.features + found.error, found.total, atol=1e-9)


def test_a_name_repeated_first(layer):
    first = checks.repeats_first(layer)
    assert first.tolist() == [False, True, False, True]  # the task takes ABBA and BABA in turn


def test_the_document_is_filled(model, checkpoint, tmp_path: Path):
    document = tmp_path / "README.md"
    document.write_text("<!-- tables -->\n<!-- end of tables -->\n")
    small = ["--n", "2", "--features", "2", "--draws", "2", "--steps", "2", "--windows", "2"]
    run.main(["--model", str(checkpoint("llama")), *small, "--readme", str(document), "--out", str(tmp_path)])
    assert "change of the logit difference" in (tmp_path / "features.html").read_text()
    text = document.read_text()
    assert text.count("\n| ") == (2 + 9) + 3 * (2 + 2) + (2 + 4) + (2 + 2) + (2 + 2)
