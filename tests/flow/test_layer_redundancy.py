"""Layer redundancy against the definitions, token by token, and runs with plain edits at every layer."""

import math

import numpy as np
import pytest
import torch
from flow.plain import added, next_token_loss, writes
from reading import sentences

import interp
from interp.core.errors import CorpusError
from interp.core.prompts import Prompts
from interp.flow.depth.measures import bucket_entropy, massive_dimensions, neighbour_entropy_change
from interp.models import Edit, Site

SKIP = 1


def slow_entropy(values, bins):
    """Of one dimension: −Σ p log p over buckets from the least to the largest value."""
    low, high = min(values), max(values)
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, int((value - low) / ((high - low) or 1) * bins))] += 1
    shares = [count / len(values) for count in counts if count]
    return -sum(share * np.log(share) for share in shares)


def kth_distances(tokens, k):
    """From each token to the k-th nearest."""
    others = (np.delete(tokens, at, 0) - token for at, token in enumerate(tokens))
    return np.array([sorted(np.linalg.norm(rows, axis=1))[k - 1] for rows in others])


def kozachenko_leonenko(distances, width, k):
    """d · mean log r + (d / 2) log π − log Γ(d / 2 + 1) + log n − log k, r the distance to the k-th nearest token."""
    constant = width / 2 * np.log(np.pi) - math.lgamma(width / 2 + 1) + np.log(len(distances)) - np.log(k)
    return width * np.mean(np.log(distances)) + constant


@pytest.mark.parametrize("family", ["llama", "gemma3", "gptneox", "gpt2"])
def test_measures_are_their_definitions(family, tiny):
    model = tiny(family, "float64")
    prompts = Prompts.of(model, sentences(family, 6))
    data = interp.flow.layer_redundancy(model, prompts, tested=2, losses=()).data
    for layer in range(model.dims.layers):
        for part in ("block", "attention", "mlp"):
            cosines, entropies, by_neighbours = [], [], []
            for row in range(len(prompts)):
                before, update = (each[0, SKIP:].numpy() for each in writes(model, prompts[[row]], layer, part))
                after = before + update
                for x, y in zip(before, after, strict=True):
                    cosines.append(x @ y / np.sqrt((x @ x) * (y @ y)))
                both = ([slow_entropy(column, 20) for column in stream.T] for stream in (before, after))
                one, other = map(np.mean, both)
                entropies.append(other - one)
                far = np.stack([kth_distances(stream, 5) for stream in (before, after)])
                width, far = model.dims.d_model, far[:, (far > 0).all(0)]  # words that stand twice are left out
                one, other = (kozachenko_leonenko(distances, width, 5) for distances in far)
                by_neighbours.append((other - one) / width)
            cell = data.sel(layer=layer, part=part)
            np.testing.assert_allclose(cell["influence"], 1 - np.mean(cosines), rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(cell["angle"], np.mean(np.arccos(cosines)) / np.pi, rtol=1e-7)
            np.testing.assert_allclose(cell["entropy_change"], np.mean(entropies), atol=1e-12)
            np.testing.assert_allclose(cell["neighbour_entropy_change"], np.nanmean(by_neighbours), atol=1e-9)


@pytest.mark.parametrize("family", ["llama", "gemma3", "gptneox", "qwen2moe"])
def test_losses_are_those_of_plain_edits(family, tiny):
    """Skipped, mean and mapped on windows that were not fitted; and on some that were."""
    model = tiny(family, "float64")
    prompts = Prompts.of(model, sentences(family, 14))
    data = interp.flow.layer_redundancy(model, prompts, tested=2).data
    fitted, tested = range(12), range(12, 14)
    for layer in range(model.dims.layers):
        for part in ("block", "attention", "mlp"):
            if part == "mlp" and model.layer_map.parallel:
                continue  # what it reads has no site of its own that comes before it writes
            pairs = [writes(model, prompts[[row]], layer, part) for row in fitted]
            x, d = (np.concatenate([pair[at][0, SKIP:].numpy() for pair in pairs]) for at in (0, 1))
            matrix = np.linalg.lstsq(x - x.mean(0), d - d.mean(0), rcond=1e-9)[0]
            matrix, shift = torch.from_numpy(matrix), torch.from_numpy(d.mean(0) - x.mean(0) @ matrix)
            changes = {
                "loss_skipped": torch.zeros_like,
                "loss_mean": lambda x, d=d: torch.from_numpy(d.mean(0)).expand_as(x),
                "loss_replaced": lambda x, matrix=matrix, shift=shift: x @ matrix + shift,
            }
            for name, rows in [*((name, tested) for name in changes), ("loss_replaced_fitted", range(2))]:
                edits = added(layer, part, changes[name.removesuffix("_fitted")])
                sums = [(next_token_loss(model, prompts, r, SKIP, e).sum()) for e in ((), edits) for r in rows]
                tokens = sum(len(next_token_loss(model, prompts, r, SKIP)) for r in rows)
                expected = (sum(sums[2:]) - sum(sums[:2])) / tokens
                np.testing.assert_allclose(
                    data.sel(layer=layer, part=part)[name], expected, atol=1e-6, err_msg=f"{name} {layer} {part}"
                )


@pytest.mark.parametrize("family", ["llama", "gptneox"])
def test_side_by_side(family, tiny):
    """Two layers that read the same stream: written with both updates recorded apart."""
    model = tiny(family, "float64")
    prompts = Prompts.of(model, sentences(family, 4))
    data = interp.flow.layer_redundancy(model, prompts, tested=2, losses=("parallel",)).data
    assert np.isnan(data["loss_parallel"].sel(part=["attention", "mlp"])).all()
    assert np.isnan(data["loss_parallel"].sel(part="block")[-1])
    for layer in range(model.dims.layers - 1):
        rises = []
        for row in (2, 3):
            pre, first = writes(model, prompts[[row]], layer, "block")
            stream = Site("resid_pre", layer + 1)
            swapped = [Edit.through(stream, lambda _, pre=pre: pre)]
            both = Edit.through(Site("resid_post", layer + 1), lambda out, first=first: out + first)
            rises.append(
                next_token_loss(model, prompts, row, SKIP, [*swapped, both])
                - next_token_loss(model, prompts, row, SKIP)
            )
        np.testing.assert_allclose(
            data["loss_parallel"].sel(part="block")[layer], np.concatenate(rises).mean(), atol=1e-9
        )


def test_a_linear_part_is_replaced_for_nothing(tiny):
    """Attention that only ever reads its own position is a linear map once its norm is left out: here, none at all."""
    model = tiny("llama", "float64")
    prompts = Prompts.of(model, sentences("llama", 20))
    matrix = torch.linspace(-1, 1, model.dims.d_model**2, dtype=torch.float64).sin().reshape(model.dims.d_model, -1)
    with model.edited(added(1, "block", lambda x: x @ matrix / 9 + 0.1)):
        data = interp.flow.layer_redundancy(model, prompts, tested=4).data.sel(layer=1, part="block")
    assert abs(float(data["loss_replaced"])) < 1e-6
    assert float(data["update_linearity"]) == pytest.approx(1)


def test_massive_dimensions_and_buckets():
    x = torch.ones(7, 5, dtype=torch.float64)
    x[:, 2] = 11
    assert massive_dimensions(x, 10).tolist() == [False, False, True, False, False]
    assert bucket_entropy(x, 4) == 0
    x[:, 0] = torch.arange(7)
    assert bucket_entropy(x, 7) == pytest.approx(np.log(7) / 5)


def test_entropy_by_neighbours_grows_with_the_scale():
    """By log of the scale in every dimension; equal tokens do not count, and too few have none."""
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(40, 6))) + 1e4
    assert neighbour_entropy_change(x, 3 * x, 5) == pytest.approx(np.log(3))
    assert neighbour_entropy_change(x, x[:, [1, 0, 2, 3, 4, 5]], 5) == pytest.approx(0, abs=1e-12)
    twice = torch.cat([x, x[:1]])
    assert neighbour_entropy_change(twice, 2 * twice, 1) == pytest.approx(np.log(2))
    assert np.isnan(neighbour_entropy_change(x[:5], x[:5], 5))
    assert np.isnan(neighbour_entropy_change(torch.ones(9, 6), torch.ones(9, 6), 5))


def test_intervals_and_refusals(tiny):
    model = tiny("llama")
    result = interp.flow.layer_redundancy(model, sentences("llama", 6), tested=3, losses=("skipped",))
    low, high = np.moveaxis(result.data["influence_interval"].values, -1, 0)
    assert (low <= result.data["influence"]).all()
    assert (result.data["influence"] <= high).all()
    assert "loss_replaced" not in result.data
    with pytest.raises(CorpusError, match="no token is left"):
        interp.flow.layer_redundancy(model, ["When Mary"], skip=9)
    assert "no next token" in interp.flow.layer_redundancy.obstacle(tiny("bert-masked"))
