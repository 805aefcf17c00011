"""Edge pruning: the hard concrete distribution in closed form, the gradient of masks, and the sparsity asked for."""

import numpy as np
import pytest
import torch
from asking import covering, pairs_for
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.special import expit, logit, rel_entr, softmax

from interp.circuits import edge_pruning
from interp.circuits.interventions.edge_executor import EdgeExecutor
from interp.circuits.search.hard_concrete import open_probability, sampled, settled
from interp.circuits.search.objective import Objective
from interp.core.errors import Cancelled, MemoryLimitError
from interp.core.progress import reporting

LOCATIONS = [-6.0, -1.5, 0.0, 0.7, 4.0]


def mask(uniform, location):
    """Bhaskar et al. 2024, section 3: T = 2/3, stretched to [−0.1, 1.1]."""
    return np.clip(1.2 * expit((logit(uniform) + location) * 1.5) - 0.1, 0, 1)


@pytest.mark.parametrize("location", LOCATIONS)
def test_masks_by_the_formula(location):
    uniform = np.linspace(0.001, 0.999, 57)
    found = sampled(torch.full((57,), location, dtype=torch.float64), torch.tensor(uniform))
    assert_allclose(found, mask(uniform, location), atol=1e-12)
    assert_allclose(settled(torch.tensor(location)).item(), np.clip(1.2 * expit(location) - 0.1, 0, 1), atol=1e-6)


@pytest.mark.parametrize("location", LOCATIONS)
def test_open_probability_is_that_of_the_samples(location):
    """The share of the noise that opens a mask, found by bisection of the formula itself."""
    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if mask(middle, location) == 0 else (low, middle)
    assert_allclose(open_probability(torch.tensor(location, dtype=torch.float64)), 1 - low, atol=1e-9)


def test_expected_mask():
    """Many samples, against the integral over the noise."""
    location = 0.7
    uniform = torch.rand(200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mean = sampled(torch.full_like(uniform, location), uniform).mean()
    assert_allclose(mean, quad(mask, 0, 1, args=(location,), points=[0.2, 0.9])[0], atol=3e-3)


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma3", "gptneox"])
def test_gradient_of_masks(tiny, family):
    """Against differences of the objective, itself written out, at masks between 0 and 1."""
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    executor = EdgeExecutor(model, pairs, pairs.metric)
    present, random = executor.graph.present, np.random.default_rng(0)
    kept = present * random.uniform(0.2, 0.8, present.shape)

    def kl(kept):
        with torch.no_grad():
            rows = executor.run(kept).logits[0].numpy()
        return rel_entr(softmax(executor.clean_logits.numpy(), -1), softmax(rows, -1)).sum(-1).mean()

    leaf = torch.tensor(kept, requires_grad=True)
    objective = Objective("kl", pairs.metric, executor.clean_logits)
    value = objective(executor.run(leaf).logits)[0]
    assert_allclose(value.item(), kl(kept), atol=1e-9)
    (gradient,) = torch.autograd.grad(value, leaf)
    step = 1e-5 if family == "gpt2" else 1e-2  # Hugging Face computes the others' norms in float32
    for edge in random.permutation(np.argwhere(present))[:12]:
        moved = []
        for sign in (1, -1):
            at = kept.copy()
            at[tuple(edge)] += sign * step
            moved.append(kl(at))
        assert_allclose(gradient[tuple(edge)], (moved[0] - moved[1]) / (2 * step), atol=2e-4, rtol=2e-2)


@covering(("family", ["llama", "gpt2", "gptneox"]), ("sparsity", [0.5, 0.9]))
def test_reaches_the_sparsity_asked_for(tiny, family, sparsity):
    model = tiny(family)
    found = edge_pruning(model, pairs_for(model, family), sparsity=sparsity, steps=120, how="zero").data
    assert abs(1 - found["edges"] / found["candidates"] - sparsity) < 0.15
    masks, kept = found["mask"].values, found["kept"].values
    assert ((masks >= 0) & (masks <= 1)).all()
    assert (kept == (masks >= 0.5)).all()
    assert_allclose(found["score"], masks[kept == 1])


def test_keeps_the_answer_better_than_chance(tiny):
    """KL of the learned circuit, beside random circuits of as many edges."""
    model = tiny("llama")
    pairs = pairs_for(model, "llama")
    executor = EdgeExecutor(model, pairs, pairs.metric)
    objective, graph = Objective("kl", pairs.metric, executor.clean_logits), executor.graph
    found = edge_pruning(model, pairs, sparsity=0.7, steps=200).data
    mask = np.zeros(graph.present.shape, dtype=bool)
    mask[graph.present] = found["kept"].values == 1
    random, order = np.random.default_rng(0), np.argwhere(graph.present)
    draws = np.zeros((30, *mask.shape), dtype=bool)
    for draw in draws:
        draw[tuple(random.permutation(order)[: mask.sum()].T)] = True
    with torch.no_grad():
        learned, others = (objective(executor.run(masks).logits) for masks in (mask[None], draws))
    assert learned.item() < others.min().item()


def test_the_seed_decides_and_no_other_randomness_is_touched(tiny):
    model = tiny("llama")
    pairs = pairs_for(model, "llama")
    before = torch.random.get_rng_state()
    one, same, other = (edge_pruning(model, pairs, steps=10, seed=seed).data["mask"].values for seed in (0, 0, 1))
    assert (one == same).all()
    assert (one != other).any()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_progress_and_cancel(tiny):
    model = tiny("llama")

    def report(label, done, total):
        assert (label, total) == ("learning masks", 50)
        if done == 3:
            raise Cancelled("cancelled")

    with pytest.raises(Cancelled), reporting(report):
        edge_pruning(model, pairs_for(model, "llama"), steps=50)


def test_memory_is_told_before_it_starts(tiny, monkeypatch):
    model = tiny("llama")
    monkeypatch.setattr("interp.models.memory.free_memory", lambda device: 2**10)
    with pytest.raises(MemoryLimitError, match=r"need 0\.0 GiB, but only 0\.0 GiB are free"):
        edge_pruning(model, pairs_for(model, "llama"))
