"""Random keys and segments apart: patterns written anew in loops, and texts that never met."""

import numpy as np
import pytest
import torch
from flow.plain import next_token_loss
from reading import sentences

import interp
from interp.core.errors import OptionError
from interp.core.prompts import Prompts
from interp.flow.paths.keys import generator_of
from interp.models import Edit, Site


def pathway_edits(model, prompt, fraction, draw, first):
    """One draw, query by query, with the numbers of the prompt's own generator."""
    generator = generator_of(prompt, 0, draw)

    def thin(pattern):
        chance = torch.rand(pattern.shape[1:], generator=generator)
        new = torch.zeros_like(pattern)
        for head in range(pattern.shape[1]):
            for query in range(pattern.shape[2]):
                keys = [k for k in range(query + 1) if chance[head, query, k] < fraction or k == query or k < first]
                for key in keys:
                    new[0, head, query, key] = pattern[0, head, query, key] / pattern[0, head, query, keys].sum()
        return new

    return [Edit.through(site, thin) for site in model.sites("pattern")]


@pytest.mark.parametrize(("family", "first"), [("llama", 0), ("gemma3", 1), ("gptneox", 0)])
def test_draws_and_their_ensemble(family, first, tiny):
    model = tiny(family, "float64")
    prompts = Prompts.of(model, sentences(family, 3))
    data = interp.flow.information_pathways(model, prompts, fractions=(0.3, 1.0), draws=2, first=first).data
    plain, runs = [], [[], []]
    for row in range(3):
        plain.append(next_token_loss(model, prompts, row, 1))
        for draw in range(2):
            edits = pathway_edits(model, prompts[[row]], 0.3, draw, first)
            runs[draw].append(next_token_loss(model, prompts, row, 1, edits))
    plain, runs = np.concatenate(plain), [np.concatenate(run) for run in runs]
    rises = [run.mean() - plain.mean() for run in runs]
    cell = data.sel(fraction=0.3)
    np.testing.assert_allclose(cell["loss"], rises, atol=1e-9)
    np.testing.assert_allclose(cell["mean_loss"], np.mean(rises), atol=1e-9)
    np.testing.assert_allclose(cell["sd"], np.std(rises, ddof=1), atol=1e-9)
    together = -np.log(np.mean(np.exp(-np.stack(runs)), 0)).mean() - plain.mean()
    np.testing.assert_allclose(cell["ensemble_loss"], together, atol=1e-9)
    assert cell["ensemble_loss"] <= cell["mean_loss"]  # the logarithm is concave
    dense = data.sel(fraction=1.0)
    np.testing.assert_allclose(
        [dense["mean_loss"], dense["ensemble_loss"], dense["sd"]], 0, atol=1e-6
    )  # patterns are float32 softmaxes


def test_without_other_keys_a_position_sees_itself(tiny):
    model = tiny("llama", "float64")
    prompts = Prompts.of(model, sentences("llama", 2))
    data = interp.flow.information_pathways(model, prompts, fractions=(0.0,), draws=1).data
    own = [Edit.through(site, lambda p: torch.eye(p.shape[-1]).expand_as(p).to(p)) for site in model.sites("pattern")]
    changed = np.concatenate([next_token_loss(model, prompts, row, 1, own) for row in range(2)])
    plain = np.concatenate([next_token_loss(model, prompts, row, 1) for row in range(2)])
    np.testing.assert_allclose(data["mean_loss"], changed.mean() - plain.mean(), atol=1e-9)


def test_segments_that_never_meet_are_two_texts(tiny):
    """With relative positions, a segment that sees nothing of the other one is read as if it stood alone."""
    model = tiny("llama", "float64")
    prompts = Prompts.of(model, sentences("llama", 2))
    boundary = 4
    data = interp.flow.segment_fusion(model, prompts, boundary=boundary, first=0).data
    for row in range(2):
        tokens = prompts.tokens[row][prompts.mask[row]].tolist()
        alone = Prompts.of_tokens(model, [tokens[boundary:]])
        rise = next_token_loss(model, alone, 0, 0).mean() - next_token_loss(model, prompts, row, boundary).mean()
        np.testing.assert_allclose(data["loss"][row, -1], rise, atol=1e-5)  # rotations are computed in float32
        np.testing.assert_allclose(data["late_loss"][row, -1], data["loss"][row, -1], atol=1e-9)


@pytest.mark.parametrize("family", ["llama", "gemma3", "gptneox"])
def test_layers_apart_by_their_scores(family, tiny):
    """Scores of −∞ between the segments, layer by layer."""
    model = tiny(family, "float64")
    prompts = Prompts.of(model, sentences(family, 2), target=" Mary", contrast=" John")
    data, layers = interp.flow.segment_fusion(model, prompts).data, model.dims.layers
    for row in range(2):
        prompt = prompts[[row]]
        boundary = prompt.width // 2

        def apart(scores, boundary=boundary):
            scores = scores.clone()
            scores[:, :, boundary:, 1:boundary] = -torch.inf
            return scores

        for count in range(layers + 1):
            for name, some in (("", range(count)), ("late_", range(layers - count, layers))):
                edits = [Edit.through(Site("scores", layer), apart) for layer in some]
                rise = next_token_loss(model, prompts, row, boundary, edits).mean()
                rise -= next_token_loss(model, prompts, row, boundary).mean()
                np.testing.assert_allclose(data[f"{name}loss"][row, count], rise, atol=1e-6)
                with torch.no_grad():
                    effect = prompt.metric(model.run(prompt, edits=edits).logits) - prompt.metric(model.logits(prompt))
                np.testing.assert_allclose(data[f"{name}effect"][row, count], effect, atol=1e-5)


def test_refusals(tiny):
    model = tiny("llama")
    with pytest.raises(OptionError, match="boundary = 50: prompt 0 has"):
        interp.flow.segment_fusion(model, sentences("llama", 1), boundary=50)
    assert "ignores edits of pattern" in interp.flow.segment_fusion.obstacle(tiny("bert-masked"))
    assert "no next token" in interp.flow.information_pathways.obstacle(tiny("bert-masked"))
