"""Information flow routes against loops over positions, senders and heads."""

import pytest
import torch
from asking import CAUSAL, prompts_for
from circuits.test_eap import scores_of
from numpy.testing import assert_allclose
from plain_graph import looking, normed, run
from plain_transformer import plain

from interp.circuits import flow_routes
from interp.circuits.flow_routes import proximity
from interp.circuits.writes import graph_of
from interp.core.errors import EngineError

EVERY = pytest.mark.parametrize("family", CAUSAL)


def shares_of(parts, total):
    """One place: a list of parts of a total."""
    near = [max(0.0, float(total.abs().sum() - (part - total).abs().sum())) for part in parts]
    return [each / sum(near) if sum(near) else 0.0 for each in near]


def definition(model, kv_heads, graph, position, threshold):
    """{(sender, receiver, position): share} of every edge on a route."""
    _, written, read = run(model, kv_heads, position)
    waiting, seen, found = [("logits", position)], set(), {}
    while waiting:
        receiver, pos = waiting.pop()
        if (receiver, pos) in seen:
            continue
        seen.add((receiver, pos))
        senders = graph.senders[: graph.reads[graph.receiver(receiver)]]
        shares = shares_of([written[name][pos] for name in senders], read[receiver][pos])
        for sender, share in zip(senders, shares, strict=True):
            if share == 0 or share < threshold:
                continue
            found[sender, receiver, pos] = share
            if sender[0] == "m":
                waiting.append((sender, pos))
            elif sender[0] == "a":
                layer, head = (int(number) for number in sender[1:].split("."))
                query, key, value = graph.inputs_of(sender)
                block = model.layers[layer]
                inside = (normed(read[name], block.ln1) for name in (query, key, value))
                pattern, values = looking(model, block, head, *inside)
                parts = [pattern[pos, at] * values[at] @ block.o[head] for at in range(len(values))]
                waiting.append((query, pos))
                for at, part in enumerate(shares_of(parts, sum(parts))):
                    if part > 0 and part >= threshold:
                        waiting += [(key, at), (value, at)]
    return found


@EVERY
@pytest.mark.parametrize("threshold", [0.0, 0.08])
def test_agrees_with_the_definition(tiny, checkpoint, family, threshold):
    model = tiny(family, "float64")
    prompts, graph = prompts_for(model, family), graph_of(model)
    whole, placed = (
        scores_of(flow_routes(model, prompts, threshold=threshold, by_position=by)) for by in (False, True)
    )
    close = 1e-9 if family == "gpt2" else 1e-5
    for row in range(len(prompts)):
        bare = plain(checkpoint, family, prompts[[row]].tokens[0])
        expected = definition(bare, model.dims.kv_heads, graph, prompts.metric.positions[row], threshold)
        assert expected
        width = prompts[[row]].width
        for (sender, receiver), share in whole.items():
            at = [expected.get((sender, receiver, pos), 0.0) for pos in range(width)]
            assert_allclose(share[row], max(at), atol=close)
            assert_allclose(placed[sender, receiver][row, :width], at, atol=close)
            assert (placed[sender, receiver][row, width:] == 0).all()


@EVERY
def test_without_a_threshold_shares_add_up_to_one(tiny, family):
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    result = flow_routes(model, prompts, threshold=0, by_position=True)
    values, receivers = result.values().values, result.data["receiver"].values
    for receiver in graph_of(model).receivers:
        total = values[..., receivers == receiver].sum(-1)
        reached = total > 0
        assert_allclose(total[reached], 1, atol=1e-9)
        if receiver == "logits":
            assert [list(row.nonzero()[0]) for row in reached] == [[at] for at in prompts.metric.positions]


def test_proximity_by_hand():
    """Half of each of two equal parts; nothing of one that points away; what is nearer has more."""
    parts = torch.tensor([[[2.0, 0.0], [0.0, 2.0]], [[-1.0, 0.0], [3.0, 2.0]], [[1.0, 0.0], [0.0, 3.0]]])
    expected = torch.tensor([[0.5, 0.5], [0.0, 1.0], [0.25, 0.75]])
    assert_allclose(proximity(parts, parts.sum(1)), expected)
    assert (proximity(torch.zeros(1, 2, 3), torch.zeros(1, 3)) == 0).all()


def test_it_says_that_it_is_not_causal(tiny):
    result = flow_routes(tiny("llama"), "When Mary and John went")
    assert "not causal" in result.measured
    assert result.sign == ""
    assert result.values().attrs["unit"] == "share"
    with pytest.raises(EngineError, match="norms stand on the residual stream"):
        flow_routes(tiny("bert-classifier"), "the keys")
