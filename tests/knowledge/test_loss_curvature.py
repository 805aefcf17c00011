"""Loss curvature: factors against gradients by hand, masks against loops, and edits against changed weights."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from reading import sentences
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

import interp
from interp.core.errors import CorpusError, EngineError, OptionError
from interp.core.prompts import Prompts
from interp.knowledge import loss_curvature
from interp.knowledge.curvature.dropping import Factors, changed_matrices
from interp.knowledge.curvature.factors import FactorSums, matrices
from interp.models import Edit, HookedModel


@pytest.mark.parametrize("family", ["llama", "gptneox"])
def test_factors_are_moments_of_inputs_and_gradients(family, tiny):
    """Of every matrix; gradients by adding a small vector at its output, one token's loss at a time."""
    model = tiny(family, "float64")
    prompt = Prompts.of(model, "When Mary and John went")
    statistic = FactorSums(1, seed=3, skip=2)
    sums = statistic.measure(model, prompt, 0).totals
    places = range(2, prompt.width - 1)
    labels = statistic._labels(model.logits(prompt), prompt)[0]
    assert int(sums["tokens"]) == len(places)
    for matrix in matrices(model, 1):
        inputs = model.run(prompt, record=[matrix.reads])[matrix.reads][0].numpy()
        expected = sum(np.outer(inputs[t], inputs[t]) for t in places)
        np.testing.assert_allclose(sums[f"A_{matrix.name}"], expected, rtol=1e-9, atol=1e-12)
        width = matrix.weight.shape[1]
        shift = torch.zeros(1, prompt.width, width, dtype=torch.float64, requires_grad=True)
        logits = model.run(prompt, edits=[Edit.through(matrix.writes, lambda x, shift=shift: x + shift)]).logits
        loss = -logits[0].log_softmax(-1)[torch.arange(prompt.width - 1), labels[:-1]].sum()
        (gradient,) = torch.autograd.grad(loss, shift)
        g = gradient[0].numpy()
        np.testing.assert_allclose(sums[f"G_{matrix.name}"], sum(np.outer(g[t], g[t]) for t in places), atol=1e-10)


def test_one_token_has_its_exact_fisher(tiny):
    """With one token the Fisher matrix of W is the product of the factors: gradients of W are g aᵀ."""
    model = tiny("llama", "float64")
    prompt = Prompts.of(model, "When Mary and John")
    statistic = FactorSums(2, skip=prompt.width - 2)
    sums = statistic.measure(model, prompt, 0).totals
    assert int(sums["tokens"]) == 1
    matrix = matrices(model, 2)[-1]
    change = torch.zeros_like(matrix.weight, requires_grad=True)
    keys = model.run(prompt, record=[matrix.reads])[matrix.reads]
    logits = model.run(prompt, edits=[Edit.through(matrix.writes, lambda x: x + keys @ change)]).logits
    at = prompt.width - 2
    label = statistic._labels(model.logits(prompt), prompt)[0, at]
    (gradient,) = torch.autograd.grad(-logits[0, at].log_softmax(-1)[label], change)
    fisher = np.multiply.outer(gradient.numpy(), gradient.numpy())  # in out in out
    expected = np.einsum("ac,bd->abcd", sums["A_out"], sums["G_out"])
    np.testing.assert_allclose(fisher, expected, atol=1e-12)


def test_labels_are_drawn_from_the_prediction(tiny):
    """As often as they are likely, whatever stands beside the prompt."""
    model = tiny("llama", "float64")
    logits = torch.tensor([[[2.0, 0.0, 1.0, -1.0]]], dtype=torch.float64)
    prompt = Prompts.of(model, "The")[[0]]
    prompt = Prompts(prompt.texts, prompt.tokens[:, :1], prompt.mask[:, :1], (prompt.labels[0][:1],))
    drawn = [int(FactorSums(0, seed=seed)._labels(logits, prompt)) for seed in range(3000)]
    shares = np.bincount(drawn, minlength=4) / len(drawn)
    np.testing.assert_allclose(shares, logits[0, 0].softmax(-1), atol=0.03)


def test_masks_keep_the_fewest_entries_that_hold_the_share():
    random = np.random.default_rng(0)
    a, g = (random.normal(size=(30, size)) for size in (5, 4))
    factors = Factors.of(a.T @ a / 30, g.T @ g / 30, torch.from_numpy(random.normal(size=(5, 4))))
    curvature = {(i, j): factors.inputs[i] * factors.outputs[j] for i in range(5) for j in range(4)}
    order, held, kept = sorted(curvature, key=lambda cell: -curvature[cell]), 0.0, set()
    for cell in order:
        if held >= 0.7 * sum(curvature.values()):
            break
        held += curvature[cell]
        kept.add(cell)
    assert {tuple(cell) for cell in np.argwhere(factors.highest(0.7)).tolist()} == kept
    assert {tuple(cell) for cell in np.argwhere(factors.lowest(3)).tolist()} == set(order[-3:])
    assert factors.random(6, 0).sum() == 6
    assert factors.highest(1.0).all()


def test_everything_kept_changes_nothing_and_nothing_kept_leaves_no_matrix(tiny):
    model = tiny("llama", "float64")
    prompts, some = Prompts.of(model, sentences("llama", 3)), matrices(tiny("llama", "float64"), 1)
    sums = FactorSums(1).measure(model, prompts, 0).totals
    factors = [Factors.of(sums[f"A_{m.name}"], sums[f"G_{m.name}"], m.weight) for m in some]
    unchanged = [each.change(each.highest(1.0)) for each in factors]
    assert all((change == 0).all() for change in unchanged)
    assert torch.equal(model.run(prompts, edits=changed_matrices(some, unchanged)).logits, model.logits(prompts))
    for each, matrix in zip(factors, some, strict=True):
        gone = each.change(np.zeros(each.rotated.shape, dtype=bool))
        np.testing.assert_allclose(gone, -matrix.weight.numpy(), atol=1e-10)


@pytest.mark.parametrize("family", ["llama", "gptneox", "gemma3"])
def test_the_loss_is_that_of_changed_weights(family, tiny):
    """The weights really changed, and changed back; ρ = 1 has the model's own loss in every arrangement."""
    model = tiny(family, "float64")
    prompts = Prompts.of(model, sentences(family, 4))
    result = loss_curvature(model, prompts, layer=1, fractions=(0.5, 1.0)).data
    np.testing.assert_allclose(result["loss"].sel(fraction=1.0), float(result["clean_loss"]), rtol=1e-12)
    assert (result["kept"].sel(fraction=1.0) == 1).all()
    sums = FactorSums(1).measure(model, prompts, 0).totals
    some, count = matrices(model, 1), int(sums["tokens"])
    factors = [Factors.of(sums[f"A_{m.name}"] / count, sums[f"G_{m.name}"] / count, m.weight) for m in some]
    kept = [matrix.weight.clone() for matrix in some]
    try:
        with torch.no_grad():
            for each, matrix in zip(factors, some, strict=True):
                matrix.weight.add_(torch.from_numpy(each.change(each.highest(0.5))))
        losses = []
        for row, text in enumerate(prompts.texts):
            logits, length = model.logits(text)[0].log_softmax(-1), int(prompts.mask[row].sum())
            losses.append(np.mean([-float(logits[t, prompts.tokens[row, t + 1]]) for t in range(length - 1)]))
    finally:
        with torch.no_grad():
            for matrix, weight in zip(some, kept, strict=True):
                matrix.weight.copy_(weight)
    np.testing.assert_allclose(result["loss"].sel(arrangement="highest", fraction=0.5), np.mean(losses), rtol=1e-7)


def test_refusals(tiny):
    with pytest.raises(EngineError, match="predicts no next token"):
        loss_curvature(tiny("bert-masked"), "the [MASK]")
    with pytest.raises(OptionError, match=r"layer = 9: .* has layers 0 to 2"):
        loss_curvature(tiny("llama"), "to the store", layer=9)
    with pytest.raises(CorpusError, match="no token with a next one is left after the first 50"):
        loss_curvature(tiny("llama"), "to the store", skip=50)


WORDS, LENGTH = 64, 16


class Planted(NamedTuple):
    """A model that knows which words follow which, and some random strings by heart."""

    model: HookedModel
    learnable: list[str]
    memorised: list[str]


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> Planted:
    """Trained on text of a Markov chain, four followers a word, and, a quarter of it, sixteen random strings."""
    random = np.random.default_rng(0)
    followers = np.stack([random.permutation(np.arange(1, WORDS))[:4] for _ in range(WORDS)])

    def learnable(count: int) -> np.ndarray:
        rows = random.integers(1, WORDS, (count, LENGTH))
        for at in range(1, LENGTH):
            rows[:, at] = followers[rows[:, at - 1], random.choice(4, count, p=[0.4, 0.3, 0.2, 0.1])]
        return rows

    vocabulary = {"<e>": 0} | {f"w{word}": word for word in range(1, WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<e>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    memorised, steps, folder = random.integers(1, WORDS, (16, LENGTH)), 300, tmp_path_factory.mktemp("planted")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(LlamaConfig(
            vocab_size=WORDS, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=4, max_position_embeddings=64, bos_token_id=None, eos_token_id=0, pad_token_id=0,
        ))  # fmt: skip
        optimiser = torch.optim.AdamW(model.parameters(), weight_decay=0.1)
        for step in range(steps):
            optimiser.param_groups[0]["lr"] = 4e-3 * min(1, 2 * (1 - step / steps))
            rows = np.concatenate([learnable(48), memorised[random.integers(0, 16, 16)]])
            optimiser.zero_grad()
            model(torch.from_numpy(rows), labels=torch.from_numpy(rows)).loss.backward()
            optimiser.step()
    model.save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<e>", pad_token="<e>").save_pretrained(folder)
    texts = ([" ".join(f"w{word}" for word in row) for row in rows] for rows in (learnable(192), memorised))
    return Planted(interp.load(str(folder)), *texts)


def test_low_curvature_is_where_strings_are_memorised(planted):
    """Without it the strings are lost while other text is nearly as it was; at random they go together.

    The factors are measured on text without the strings.
    """
    learnable, memorised = planted.learnable, planted.memorised
    result = loss_curvature(
        planted.model, learnable, layer=0, fractions=(0.9,), tested=64, examples=(*memorised, *learnable[:16])
    ).data.isel(fraction=0)
    strings, others = slice(0, 16), slice(16, None)
    assert float(result["recited_before"][strings].mean()) > 0.9
    assert float(result["recited_before"][others].mean()) < 0.6
    rise = (result["example_after"] - result["example_before"]).to_series().unstack()
    of_strings, of_others = (rise[texts].mean(axis="columns") for texts in (memorised, learnable[:16]))
    of_text = (result["loss"] - result["clean_loss"]).to_series()
    assert of_strings["highest"] > 1
    assert of_strings["highest"] > 25 * of_text["highest"]
    assert of_others["highest"] < 0.1
    for control in ("random", "lowest"):
        assert of_text[control] > 4 * of_text["highest"]
        assert of_strings["highest"] / of_text["highest"] > 2 * of_strings[control] / of_text[control]
    assert float(result["recited_after"].sel(arrangement="highest")[strings].mean()) < 0.75


def test_examples_are_read_one_by_one(planted):
    """Their loss and the share of tokens ranked first, of texts of different lengths, by the definition."""
    texts = [planted.memorised[0], "w1 w2 w3"]
    result = loss_curvature(planted.model, planted.learnable[:8], fractions=(0.5, 1.0), examples=texts).data
    for row, text in enumerate(texts):
        tokens = [int(word[1:]) for word in text.split()]
        logits = planted.model.logits(text)[0].double().log_softmax(-1)
        losses = [-float(logits[at, token]) for at, token in enumerate(tokens[1:])]
        np.testing.assert_allclose(result["example_before"][row], np.mean(losses), rtol=1e-5)
        right = [int(logits[at].argmax()) == token for at, token in enumerate(tokens[1:])]
        assert float(result["recited_before"][row]) == pytest.approx(np.mean(right))
    for name in ("example", "recited"):
        before, after = result[f"{name}_before"], result[f"{name}_after"]
        np.testing.assert_allclose(after.sel(fraction=1.0), np.broadcast_to(before, (3, 2)), rtol=1e-6)
    assert result["entry"].values.tolist() == texts
    with pytest.raises(OptionError, match="'w1' is a single token"):
        loss_curvature(planted.model, planted.learnable[:8], examples=("w1",))
