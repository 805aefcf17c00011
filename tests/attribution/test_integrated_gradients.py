"""Integrated gradients: the integral against known ones, the path against plain Hugging Face, the gap to nothing."""

import numpy as np
import pytest
import torch
from asking import prompts_for
from scipy import integrate
from tiny import FAMILIES, byte_pair_tokenizer
from transformers import GPT2Config, GPT2LMHeadModel

import interp
from interp.attribution import integrated_gradients
from interp.core.errors import MemoryLimitError, OptionError, TargetError
from interp.core.quadrature import quadrature
from interp.models import memory

# Families whose norms or softmax are computed in float32 even with float64 weights.
EXACT = ("gpt2", "bert-classifier", "bert-masked")
RULES = ("gauss-legendre", "trapezoid", "midpoint")


def entry(data, at, term):
    chosen = (data["at"].values == at) & (data["term"].values == term)
    return data["ledger"].values[:, chosen][:, 0]


# Quadrature


@pytest.mark.parametrize("steps", [1, 2, 3, 8, 50])
@pytest.mark.parametrize("rule", RULES)
def test_weights_add_up_to_the_length_of_the_path(rule, steps):
    points, weights = quadrature(rule, steps)
    assert len(points) == len(weights) == steps
    assert (points >= 0).all()
    assert (points <= 1).all()
    assert (points.diff() > 0).all()
    np.testing.assert_allclose(weights.sum(), 1, rtol=1e-14)
    np.testing.assert_allclose(weights @ points, 0.5, rtol=1e-14)


@pytest.mark.parametrize("steps", [1, 2, 3, 8])
def test_gauss_legendre_is_exact_for_polynomials(steps):
    """Up to degree 2n − 1, and no further."""
    points, weights = quadrature("gauss-legendre", steps)
    for degree in range(2 * steps):
        np.testing.assert_allclose(weights @ points**degree, 1 / (degree + 1), rtol=1e-13)
    assert abs(weights @ points ** (2 * steps) - 1 / (2 * steps + 1)) > 1e-12


@pytest.mark.parametrize("steps", [2, 3, 9])
def test_trapezoid_is_scipys(steps):
    points, weights = quadrature("trapezoid", steps)
    values = torch.exp(torch.sin(5 * points))
    np.testing.assert_allclose(weights @ values, integrate.trapezoid(values, points), rtol=1e-14)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_midpoints_miss_a_parabola_by_a_twelfth(steps):
    """∫x² = 1/3, and n midpoints give 1/3 − 1/(12 n²)."""
    points, weights = quadrature("midpoint", steps)
    np.testing.assert_allclose(weights @ points**2, 1 / 3 - 1 / (12 * steps**2), rtol=1e-13)


# The path


@pytest.mark.parametrize(
    ("family", "baseline"), [*((family, "zero") for family in FAMILIES), ("gpt2", "mean"), ("gemma3", "mean")]
)
def test_agrees_with_the_definition(family, baseline, checkpoint, tiny):
    """Equation 1 as a loop over points, with the plain model loaded without any of our code."""
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    data = integrated_gradients(model, prompts, steps=3, quadrature="midpoint", baseline=baseline).data
    plain = FAMILIES[family].model.from_pretrained(checkpoint(family), dtype=torch.float64, attn_implementation="eager")
    plain.eval().requires_grad_(False)
    table = plain.get_input_embeddings()
    start = table(torch.arange(model.dims.vocab)).mean(0) if baseline == "mean" else torch.zeros(model.dims.d_model)
    close = 1e-9 if family in EXACT else 1e-5
    for row in range(2):
        prompt = prompts[[row]]
        end = table(prompt.tokens)
        mean = torch.zeros_like(end)
        for point in (1 / 6, 3 / 6, 5 / 6):
            place = (start + point * (end - start)).requires_grad_()
            value = prompt.metric(plain(inputs_embeds=place).logits)
            mean += torch.autograd.grad(value.sum(), place)[0] / 3
        expected = ((end - start) * mean).sum(-1)[0]
        found = data["relevance"].values[row]
        np.testing.assert_allclose(found[: prompt.width], expected, atol=close, rtol=close)
        assert (found[prompt.width :] == 0).all()
        at_start = prompt.metric(plain(inputs_embeds=start.to(end).expand_as(end)).logits)
        np.testing.assert_allclose(entry(data, "input", "baseline")[row], at_start, atol=close, rtol=close)
        np.testing.assert_allclose(data["total"].values[row], prompt.metric(plain(prompt.tokens).logits), atol=close)


@pytest.mark.parametrize(("rule", "close"), [("gauss-legendre", 1e-9), ("trapezoid", 1e-3), ("midpoint", 1e-3)])
def test_the_gap_closes_with_more_points(rule, close, tiny):
    """Proposition 1, on a model that is smooth and float64 throughout."""
    model = tiny("gpt2", "float64")
    prompts = prompts_for(model, "gpt2")
    runs = [integrated_gradients(model, prompts, steps=n, quadrature=rule).data for n in (1, 3, 48)]
    gaps = [abs(run["remainder"]).max().item() for run in runs]
    assert gaps[0] > gaps[1]
    assert gaps[1] > 2 * gaps[2]
    assert gaps[2] < close
    last = runs[-1]
    np.testing.assert_allclose(
        last["relevance"].sum("pos") + entry(last, "input", "baseline"), last["total"], atol=close
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_the_ledger_is_tokens_baseline_and_gap(family, tiny):
    model = tiny(family)
    data = integrated_gradients(model, prompts_for(model, family), steps=5).data
    assert list(zip(data["at"].values, data["term"].values, strict=True)) == [
        ("input", "tokens"),
        ("input", "baseline"),
        ("output", "remainder"),
    ]
    np.testing.assert_allclose(data["ledger"].sum("entry"), data["total"], atol=1e-12)
    np.testing.assert_allclose(entry(data, "input", "tokens"), data["relevance"].sum("pos"), atol=1e-12)


@pytest.fixture(scope="module")
def linear(tmp_path_factory):
    """Logits that are linear in the embeddings: divisors that are all but constant, and no layer writes."""
    folder = tmp_path_factory.mktemp("linear")
    tokenizer = byte_pair_tokenizer()
    config = GPT2Config(
        vocab_size=len(tokenizer), n_embd=16, n_layer=1, n_head=2, n_positions=16, layer_norm_epsilon=1e12,
        bos_token_id=0, eos_token_id=0, tie_word_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(0)
    plain = GPT2LMHeadModel(config).double().requires_grad_(False)
    for part in (plain.transformer.h[0].attn.c_proj, plain.transformer.h[0].mlp.c_proj):
        part.weight.zero_()
    plain.lm_head.weight.mul_(1e6)
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return interp.load(str(folder), dtype="float64")


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("rule", RULES)
def test_one_point_is_enough_for_a_linear_function(linear, rule, steps):
    """And each token's relevance is its embedding times the weights: only the last token's, where nothing is mixed."""
    data = integrated_gradients(linear, "The keys to", target=" Mary", steps=steps, quadrature=rule).data
    np.testing.assert_allclose(data["remainder"], 0, atol=1e-10)
    word = linear.encode("The keys to")[-1]
    answer = linear.encode_continuation(" Mary")[0]
    embedding = linear.weights.embedding(torch.tensor(word))
    factor, _ = linear.weights.norm("ln_final")
    expected = (embedding - embedding.mean()) / 1e6 * factor @ linear.weights.unembedding()[:, answer]
    assert abs(expected) > 1e-3
    relevance = data["relevance"].values[0]
    np.testing.assert_allclose(relevance[-1], expected, atol=1e-10)
    np.testing.assert_allclose(relevance[:-1], 0, atol=1e-12)


@pytest.mark.parametrize("family", ["gemma3", "bert-masked"])
def test_how_many_points_run_side_by_side_changes_nothing(family, tiny):
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    results = [integrated_gradients(model, prompts, steps=7, batch_tokens=size).data for size in (1, 25, 10_000)]
    for other in results[1:]:
        np.testing.assert_allclose(other["relevance"], results[0]["relevance"], atol=1e-9)
        np.testing.assert_allclose(other["ledger"], results[0]["ledger"], atol=1e-9)


@pytest.mark.parametrize("scale", ["logprob", "prob"])
def test_other_scales_close_too(scale, tiny):
    model = tiny("gpt2", "float64")
    data = integrated_gradients(model, "The keys to", target=" Mary", scale=scale, steps=100).data
    assert data["relevance"].attrs["unit"] == {"logprob": "nats", "prob": "probability"}[scale]
    np.testing.assert_allclose(data["remainder"], 0, atol=1e-8)


# What cannot be asked


def test_what_cannot_be_asked_for(tiny):
    model = tiny("gpt2")
    with pytest.raises(OptionError, match="steps = 0"):
        integrated_gradients(model, "The keys", target=" Mary", steps=0)
    with pytest.raises(OptionError, match="quadrature = 'simpson'"):
        integrated_gradients(model, "The keys", target=" Mary", quadrature="simpson")
    with pytest.raises(OptionError, match="baseline = 'noise'"):
        integrated_gradients(model, "The keys", target=" Mary", baseline="noise")
    with pytest.raises(TargetError, match="measures an answer; give a target"):
        integrated_gradients(model, "The keys")


def test_memory_is_asked_for_before_it_is_taken(tiny, monkeypatch):
    """For the longest prompt, wherever it stands, and for all points that run side by side."""
    model = tiny("llama")
    short, long = "The keys", "When Mary and John went to the store, John gave a drink to"
    monkeypatch.setattr(memory, "free_memory", lambda device: 2**17)
    integrated_gradients(model, short, target=" Mary", batch_tokens=1, steps=2)
    with pytest.raises(MemoryLimitError, match="1 prompts of"):
        integrated_gradients(model, [short, long], target=" Mary", batch_tokens=1, steps=2)
    with pytest.raises(MemoryLimitError, match="20 prompts of"):
        integrated_gradients(model, short, target=" Mary", steps=20)
