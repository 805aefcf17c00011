"""Predicates against their words, scores against loops over cells, and compiled heads against their own selectors."""

from itertools import permutations

import numpy as np
import pytest
import torch
from reading import sentences

import interp
from interp.core.errors import OptionError
from interp.core.prompts import Prompts
from interp.models import Edit, Site
from interp.patterns import attention_predicates
from interp.patterns.predicates import parse
from interp.patterns.replacing import uniform_on

LABELS = ["Hi", ",", " Ann", ".", " Hi", " Bob", ",", " Ann"]
TOKENS = [1, 2, 3, 4, 5, 6, 2, 3]
SELECTED = {
    "self": lambda q, k: q == k,
    "any": lambda q, k: True,
    "first": lambda q, k: k == 0,
    "offset:-2": lambda q, k: k == q - 2,
    "offset:+1": lambda q, k: k == q + 1,
    "same-token": lambda q, k: q != k and TOKENS[q] == TOKENS[k],
    "induction": lambda q, k: any(j < q and TOKENS[j] == TOKENS[q] and k == j + 1 for j in range(8)),
    "separator": lambda q, k: k == max((j for j in range(q) if LABELS[j] in ",."), default=-1),
    "sentence": lambda q, k: (q <= 3) == (k <= 3),
    "regex:^ [A-Z]": lambda q, k: k in (2, 4, 5, 7),
    "query:^ A": lambda q, k: q in (2, 7),
    "query:^ A & offset:-1 | first": lambda q, k: (q in (2, 7) and k == q - 1) or k == 0,
}


@pytest.mark.parametrize("text", SELECTED)
def test_each_word_selects_what_it_says(text):
    prompts = Prompts(("",), torch.tensor([[*TOKENS, 0]]), torch.tensor([[True] * 8 + [False]]), ((*LABELS, ""),))
    cells = parse(text)(prompts, [[*LABELS, ""]])[0]
    expected = [[q < 8 and k < 8 and bool(SELECTED[text](q, k)) for k in range(9)] for q in range(9)]
    assert cells.tolist() == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("same", "cannot read 'same'; write any, self"),
        ("offset:x", "cannot read 'offset:x'"),
        ("self:1", "cannot read 'self:1'"),
        ("regex:(", r"'\(' is no regular expression"),
        ("self | ", "cannot read ''"),
    ],
)
def test_refusals_name_the_part(text, why, tiny):
    with pytest.raises(OptionError, match=why):
        attention_predicates(tiny("llama"), "to the store", predicates=(text,))


def test_scores_are_means_over_cells(tiny):
    """Every head and predicate by loops, prompts of different lengths."""
    model, texts = tiny("llama", "float64"), sentences("llama", 4)
    names = ("offset:-1", "regex:e", "first")
    result = attention_predicates(model, texts, predicates=names, skip=2).data
    prompts, sites = Prompts.of(model, texts), model.sites("pattern")
    trace = model.run(prompts, record=sites)
    for at, name in enumerate(names):
        cells = parse(name)(prompts, [list(row) for row in prompts.labels])
        for layer, head in ((0, 1), (2, 3)):
            scores, beyond, rest = [], 0.0, 0.0
            for row in range(len(texts)):
                masses = []
                for q in range(2, int(prompts.mask[row].sum())):
                    keys = [k for k in range(q + 1) if cells[row, q, k]]
                    attention = trace[sites[layer]][row, head, q]
                    if keys:
                        masses.append(sum(float(attention[k]) for k in keys))
                        beyond += sum(float(attention[k]) for k in keys if k)
                        rest += float(attention[1:].sum())
                if masses:
                    scores.append(np.mean(masses))
            np.testing.assert_allclose(result["mass"][at, layer, head], np.mean(scores), rtol=1e-9)
            np.testing.assert_allclose(result["beyond_first"][at, layer, head], beyond / rest, rtol=1e-9)


def test_the_null_is_every_shuffle_of_each_row(tiny):
    """Mean and spread over all orders of the keys that a query sees, exactly."""
    model = tiny("llama", "float64")
    prompts = Prompts.of(model, "When Mary and John went to")
    result = attention_predicates(model, prompts, predicates=("regex:n",), skip=0).data
    pattern = model.run(prompts, record=[Site("pattern", 1)])[Site("pattern", 1)][0, 2].numpy()
    means, variances = [], []
    for q in range(prompts.width):
        cells = [k for k in range(q + 1) if "n" in prompts.labels[0][k]]
        if cells:
            sums = [sum(order[k] for k in cells) for order in permutations(pattern[q, : q + 1])]
            means.append(np.mean(sums))
            variances.append(np.var(sums))
    assert len(means) > 3
    np.testing.assert_allclose(result["null"][0, 1, 2], np.mean(means), rtol=1e-9)
    reach = 1.96 * np.sqrt(np.sum(variances)) / len(means)
    np.testing.assert_allclose(result["null_interval"][0, 1, 2].diff("bound"), 2 * reach, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "node", "predicate"),
    [
        ("rasp/hist", (0, 0), "same-token | self | first"),
        ("rasp/shift", (0, 0), "offset:-1"),
        ("rasp/detect_pattern", (1, 0), "offset:-1"),
    ],
)
def test_a_compiled_head_is_its_own_selector(name, node, predicate):
    """All of its attention, and nothing of what it does is left to explain."""
    result = attention_predicates(interp.load(name), predicates=(predicate,), windows=4).data
    np.testing.assert_allclose(result["mass"].values[0][node], 1, atol=1e-5)
    assert result["null"].values[0][node] < 0.9


def test_a_replaced_head_attends_as_the_predicate_says(tiny):
    """The loss is that of a plain run with that pattern; replaced by what it does anyway nothing changes."""
    model, texts = tiny("llama", "float64"), sentences("llama", 3)
    prompts = Prompts.of(model, texts)
    result = attention_predicates(model, prompts, predicates=("offset:-1",), heads=("1.2",)).data
    site = Site("pattern", 1)

    def loss(*edits):
        logits = model.run(prompts, edits=edits).logits.log_softmax(-1)
        terms = [
            -logits[row, at, prompts.tokens[row, at + 1]]
            for row in range(3)
            for at in range(int(prompts.mask[row].sum()) - 1)
        ]
        return float(sum(terms) / len(terms))

    def previous(pattern):
        pattern = pattern.clone()
        for q in range(prompts.width):
            pattern[:, 2, q] = 0
            pattern[:, 2, q, max(q - 1, 0)] = 1
        return pattern

    expected = {
        "clean": loss(),
        "pattern": loss(Edit.through(site, previous)),
        "ablated": loss(Edit.zero(Site("z", 1), head=2)),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(result[f"{name}_loss"].item(), value, rtol=1e-9)
    if expected["ablated"] > expected["clean"]:
        share = (expected["ablated"] - expected["pattern"]) / (expected["ablated"] - expected["clean"])
        np.testing.assert_allclose(result["explained"].item(), share, rtol=1e-6)
    assert result["replaced"].item() == "a1.2"


def test_replacing_a_compiled_head_by_its_selector_changes_nothing():
    model = interp.load("rasp/hist")
    prompts = Prompts.of(model, ["a b a c", "c c b a"])
    cells = parse("same-token | self | first")(prompts, [list(row) for row in prompts.labels])
    same = model.run(prompts, edits=uniform_on(model, (0, 0), prompts, cells)).logits
    assert torch.allclose(same, model.logits(prompts), atol=1e-4)


def test_a_head_that_is_not_there_is_refused(tiny):
    with pytest.raises(OptionError, match=r"heads = '9.1': .* has heads 0.0 to"):
        attention_predicates(tiny("llama"), "to the store", heads=("9.1",))
