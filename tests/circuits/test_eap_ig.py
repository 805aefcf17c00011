"""EAP with integrated gradients against loops over points, in float64, with a leaf at every receiver."""

import pytest
import torch
from asking import CAUSAL, covering, pairs_for
from circuits.test_eap import CLOSE, definition, scores_of
from numpy.testing import assert_allclose
from plain_graph import run
from plain_transformer import plain

from interp.circuits import eap, eap_ig
from interp.core.errors import OptionError
from interp.core.prompts import PromptPairs
from interp.models.writes import graph_of

EVERY = pytest.mark.parametrize("family", CAUSAL)


def embeddings(checkpoint, family, pairs, row, how):
    """Where the path begins and ends."""
    clean, other = (plain(checkpoint, family, side[[row]].tokens[0]).embed for side in (pairs.clean, pairs.corrupted))
    return {"resample": other, "zero": torch.zeros_like(clean), "mean": clean.mean(0).expand_as(clean)}[how], clean


@covering(("family", CAUSAL), ("how", ["resample", "zero"]))
def test_inputs_agree_with_the_definition(tiny, checkpoint, family, how):
    """The reference program's left Riemann sum over three points."""
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    result = eap_ig(model, pairs, steps=3, quadrature="left", how=how)
    found = scores_of(result)
    for row in range(len(pairs)):
        start, end = embeddings(checkpoint, family, pairs, row, how)
        _, differences, _, clean = definition(checkpoint, family, model, pairs, row, how)
        mean, values = {}, []
        for k in range(3):
            gradients, _, _, value = definition(
                checkpoint, family, model, pairs, row, how, embed=start + k / 3 * (end - start)
            )
            values.append(value)
            for receiver, gradient in gradients.items():
                mean[receiver] = mean.get(receiver, 0) + gradient / 3
        for (sender, receiver), score in found.items():
            expected = (differences[sender] * mean[receiver]).sum()
            assert_allclose(score[row], expected, atol=CLOSE[family], rtol=CLOSE[family])
        total, remainder = result.values("total")[row], result.values("remainder")[row]
        assert_allclose(total, values[0] - clean, atol=CLOSE[family])
        out_of_embed = sum(score[row] for (sender, _), score in found.items() if sender == "embed")
        assert_allclose(remainder, total - out_of_embed, atol=1e-9)


@EVERY
def test_activations_agree_with_the_definition(tiny, checkpoint, family):
    """One block's output at a time between the runs, the rest of the clean run behind it; two midpoints."""
    model = tiny(family, "float64")
    pairs, graph = pairs_for(model, family), graph_of(model)
    found = scores_of(eap_ig(model, pairs, path="activations", steps=2, quadrature="midpoint"))
    row = 1
    metric, width = pairs.metric.select([row]), pairs.clean[[row]].width
    clean = plain(checkpoint, family, pairs.clean[[row]].tokens[0])
    _, differences, _, _ = definition(checkpoint, family, model, pairs, row, "resample")
    blocks = [["embed"]]
    for layer in range(graph.layers):
        blocks += [[f"a{layer}.{head}" for head in range(graph.heads)], [f"m{layer}"]]
    for block in blocks:
        moved = sum(differences[name] for name in block)
        mean = {}
        for alpha in (0.25, 0.75):
            leaves = {name: torch.zeros(width, model.dims.d_model).double() for name in graph.receivers}
            after = [name for name in graph.receivers if graph.present[graph.sender(block[0]), graph.receiver(name)]]
            for name in after:
                leaves[name].requires_grad_()

            def read(name, value, _, leaves=leaves, after=after, shift=(1 - alpha) * moved):
                return value + leaves[name] + (shift if name in after else 0)

            logits, _, _ = run(clean, model.dims.kv_heads, metric.positions[0], read)
            gradients = torch.autograd.grad(metric.of_rows(logits[None])[0], [leaves[name] for name in after])
            for name, gradient in zip(after, gradients, strict=True):
                mean[name] = mean.get(name, 0) + gradient / 2
        for sender in block:
            for receiver, gradient in mean.items():
                expected = (differences[sender] * gradient).sum()
                assert_allclose(found[sender, receiver][row], expected, atol=CLOSE[family], rtol=CLOSE[family])


@covering(("family", CAUSAL), ("path", ["inputs", "activations"]))
def test_the_gap_closes_with_more_points(tiny, family, path):
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    results = [eap_ig(model, pairs, path=path, steps=steps) for steps in (1, 150)]
    gaps = [abs(result.values("remainder")).max() for result in results]
    assert gaps[1] < 3e-3 * abs(results[0].values("total")).max()
    assert gaps[1] < gaps[0] / 10


@pytest.mark.parametrize("path", ["inputs", "activations"])
def test_one_point_on_the_clean_run_is_eap(tiny, path):
    """A point so near to the clean run that the gradient is its own: equal prompts but for what cut edges carry."""
    model = tiny("gpt2", "float64")
    pairs = pairs_for(model, "gpt2")
    at_other = eap_ig(model, pairs, steps=1, quadrature="left").values()
    exchanged = eap(model, PromptPairs(pairs.corrupted, pairs.clean), metric=pairs.metric).values()
    assert_allclose(at_other, -exchanged, atol=1e-9)
    at_clean = eap_ig(model, pairs, path=path, steps=1, quadrature="right").values()
    with pytest.raises(AssertionError):
        assert_allclose(at_clean, at_other, atol=1e-3)


@pytest.mark.parametrize("path", ["inputs", "activations"])
@EVERY
def test_equal_prompts_score_nothing(tiny, family, path):
    model = tiny(family)
    clean = pairs_for(model, family).clean
    assert (eap_ig(model, PromptPairs(clean, clean), path=path).values() == 0).all()


@pytest.mark.parametrize("path", ["inputs", "activations"])
def test_company_and_positions_change_nothing(tiny, path):
    model = tiny("gemma3", "float64")
    pairs = pairs_for(model, "gemma3")
    results = [eap_ig(model, pairs, path=path, batch_tokens=size) for size in (1, 40, 512)]
    for other in results[1:]:
        assert_allclose(other.values(), results[0].values(), atol=1e-9)
        assert_allclose(other.values("remainder"), results[0].values("remainder"), atol=1e-9)
    positions = eap_ig(model, pairs, path=path, by_position=True)
    assert_allclose(positions.values().sum("pos"), results[0].values(), atol=1e-9)
    assert_allclose(positions.values("remainder"), results[0].values("remainder"), atol=1e-9)


def test_what_it_cannot_treat(tiny):
    with pytest.raises(OptionError, match="resampling needs a corrupted prompt"):
        eap_ig(tiny("gpt2"), "The keys", target=" Mary")
    with pytest.raises(OptionError, match="steps = 0"):
        eap_ig(tiny("gpt2"), "The keys", target=" Mary", steps=0)
