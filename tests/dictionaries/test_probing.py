"""Probes that find what was planted, their rules on a written line, and the choice of features by its definition."""

import numpy as np
import pytest
import torch

from interp import Prompts
from interp.dictionaries import sae_quality
from interp.dictionaries.quality.probing import BUDGETS, FEWEST, TARGETS, Probes, Target

LINE = ["(", "The", " 3", "rd", " the", " cat", ",", " cat", ").", "\n", " End"]
RULES = {
    "new word": [2, 4, 5, 7, 10],
    "capital": [1, 10],
    "digit": [2],
    "punctuation": [0, 6, 8],
    "line break": [9],
    "in brackets": [1, 2, 3, 4, 5, 6, 7, 8],
    "repeated": [7],
    "after the": [2, 5],
    "after a comma": [7],
    "after a full stop": [9],
}


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_every_rule_on_a_line(target):
    assert target.rule
    assert [place for place, holds in enumerate(target.holds(LINE)) if holds] == RULES[target.name]


def labelled(labels):
    """Windows with these labels; of an empty one there is nothing."""
    tokens = torch.zeros(len(labels), len(labels[0]), dtype=torch.long)
    mask = torch.tensor([[bool(label) for label in row] for row in labels])
    return Prompts(tuple("".join(row) for row in labels), tokens, mask, tuple(map(tuple, labels)))


CAPITAL = Target("capital", "", lambda labels: [label.isupper() for label in labels])
RARE = Target("rare", "", lambda labels: [label == "Q" for label in labels])


def letters(windows=8, length=50, seed=0):
    """Random letters, one in four of them large; the last windows are shorter."""
    random = np.random.default_rng(seed)
    rows = np.where(random.random((windows, length)) < 0.25, "A", random.choice(list("bcdef"), (windows, length)))
    rows = rows.astype(object)
    rows[-1, -7:] = ""
    return labelled(rows.tolist())


def probed(windows, features, site, *, skip=0, targets=(CAPITAL, RARE), batch=3):
    counted = windows.mask & (torch.arange(windows.width) >= skip)
    probes = Probes(windows, counted, seed=0, targets=targets)
    for look in (probes.choose, probes.keep):
        for first in range(0, len(windows), batch):
            rows = slice(first, first + batch)
            look(first, features[rows][counted[rows]], site[rows][counted[rows]])
    return probes


def test_a_planted_feature_is_found():
    """It alone tells the target; shuffled labels and other dimensions tell nothing."""
    windows = letters()
    random = torch.Generator().manual_seed(0)
    features = torch.rand(*windows.tokens.shape, 12, generator=random)
    large = torch.tensor([[label.isupper() for label in row] for row in windows.labels])
    features[..., 7] = large * (2 + features[..., 7])
    probes = probed(windows, features, torch.randn(*windows.tokens.shape, 9, generator=random))
    assert probes.left_out == ("rare",)
    found = probes.probed()
    assert found.targets == ("capital",)
    np.testing.assert_array_equal(found.accuracy, 1)
    assert np.abs(found.shuffled - 0.5).max() < 0.1
    assert np.abs(found.raw - 0.5).max() < 0.12
    assert found.share[0] == pytest.approx(float(large[windows.mask].double().mean()))
    assert probes.chosen("features")[0, 0] == 7


def test_the_choice_is_by_the_first_half_alone():
    """The largest |difference of means| between classes, over positions that count."""
    windows = letters(seed=1)
    random = torch.Generator().manual_seed(1)
    features = torch.randn(*windows.tokens.shape, 30, generator=random)
    features[4:, :, 3] = 100 * torch.tensor([[label.isupper() for label in row] for row in windows.labels[4:]])
    features[:, 0] = 50  # left out
    site = torch.randn(*windows.tokens.shape, 9, generator=random)
    chosen = probed(windows, features, site, skip=1).chosen("features")[0]
    sums = {True: [], False: []}
    for labels, rows in zip(windows.labels[:4], features[:4], strict=True):
        for label, row in list(zip(labels, rows.double(), strict=True))[1:]:
            sums[label.isupper()].append(row)
    apart = (sum(sums[True]) / len(sums[True]) - sum(sums[False]) / len(sums[False])).abs()
    assert chosen.tolist() == apart.argsort(descending=True)[: max(BUDGETS)].tolist()
    assert 3 not in chosen[:1]


def test_the_probe_is_scikit_learns_on_the_halves():
    """Balanced accuracy: the mean of both classes' hit rates on windows that it did not see."""
    from sklearn.linear_model import LogisticRegression

    windows = letters(seed=2)
    random = torch.Generator().manual_seed(2)
    large = np.array([[label.isupper() for label in row] for row in windows.labels])
    features = torch.randn(*windows.tokens.shape, 20, generator=random) + 0.8 * torch.from_numpy(large)[..., None]
    probes = probed(windows, features, features[..., :9])
    there, k = windows.mask.numpy(), 2
    columns = probes.chosen("features")[0, :k]
    values = features.numpy()[..., columns]
    train, test = ((values[rows][there[rows]], large[rows][there[rows]]) for rows in (slice(4), slice(4, None)))
    centre, scale = train[0].mean(0), train[0].std(0)
    probe = LogisticRegression(class_weight="balanced").fit((train[0] - centre) / scale, train[1])
    said = probe.predict((test[0] - centre) / scale)
    expected = (said[test[1]].mean() + (~said[~test[1]]).mean()) / 2
    assert probes.probed().accuracy[0, BUDGETS.index(k)] == pytest.approx(expected)


def test_shuffled_labels_stay_in_their_window():
    """As many in every window, at places that count only; each window in an order of its own."""
    windows = letters(seed=3)
    probes = probed(windows, torch.rand(*windows.tokens.shape, 6), torch.rand(*windows.tokens.shape, 9))
    true, shuffled = probes._labels
    ends = windows.mask.sum(1).cumsum(0).tolist()
    for first, end in zip([0, *ends], ends, strict=False):
        assert true[first:end].sum() == shuffled[first:end].sum()
    assert (true != shuffled).mean() > 0.2


def test_classes_with_too_few_examples_are_left_out():
    def holds(count):
        return Target(f"{count}", "", lambda labels: [place < count for place in range(len(labels))])

    windows = labelled([["x"] * 60] * 2)
    targets = [holds(count) for count in (FEWEST - 1, FEWEST, 60 - FEWEST, 61 - FEWEST)]
    probes = probed(windows, torch.rand(2, 60, 6), torch.rand(2, 60, 4), targets=targets)
    assert probes.targets == (f"{FEWEST}", f"{60 - FEWEST}")
    assert probes.left_out == (f"{FEWEST - 1}", f"{61 - FEWEST}")


def test_a_feature_planted_in_a_dictionary(saved, tiny):
    """One that is active at new words alone, in the embeddings of a few tokens."""
    model = tiny("llama", "float64")
    spaced = [t for t in range(1, model.dims.vocab) if model.token_label(t).startswith(" ")]
    tokens = spaced[:8] + [t for t in range(1, model.dims.vocab) if t not in spaced][40:56]
    rows = np.random.default_rng(0).choice(tokens, (6, 50)).tolist()
    new = torch.tensor([float(model.token_label(t).startswith(" ")) for t in tokens], dtype=torch.float64)
    embedded = model.bridge.original_model.get_input_embeddings().weight[tokens].double()
    telling = torch.linalg.pinv(embedded) @ new  # 24 tokens of 32 dimensions: exactly
    folder, sae = saved("standard", 32, features=9, hook="blocks.0.hook_resid_pre", model=model.name)
    with torch.no_grad():
        sae.b_dec.zero_()
        sae.W_enc[:, 4] = telling.float()
        sae.b_enc[4] = -0.5
    sae.save_model(folder)
    found = sae_quality(model, Prompts.of_tokens(model, rows), dictionary=str(folder)).data
    there = found["accuracy"].sel(target="new word")
    assert there.sel(budget=1).item() == 1
    assert abs(found["shuffled_accuracy"].sel(target="new word", budget=1).item() - 0.5) < 0.1
    assert found["raw_accuracy"].sel(target="new word", budget=1).item() < 0.95
    assert found["density"].values[4] == pytest.approx(found["share"].sel(target="new word").item())
    assert "digit" in found.attrs["probing_left_out"]
