"""Information flow routes against loops over positions, senders and heads."""

import pytest
import torch
from asking import CAUSAL, covering, prompts_for
from circuits.test_eap import scores_of
from numpy.testing import assert_allclose
from plain_graph import looking, normed, run
from plain_transformer import plain

from interp.circuits import flow_routes
from interp.circuits.flow_routes import proximity
from interp.core.errors import EngineError
from interp.models.writes import graph_of

EVERY = pytest.mark.parametrize("family", CAUSAL)


def shares_of(parts, total):
    """One place: a list of parts of a total."""
    near = [max(0.0, float(total.abs().sum() - (part - total).abs().sum())) for part in parts]
    return [each / sum(near) if sum(near) else 0.0 for each in near]


def definition(model, kv_heads, graph, position, threshold):
    """{(sender, receiver, position): flow}, handed down receiver by receiver."""
    _, written, read = run(model, kv_heads, position)
    flow, found = {("logits", position): 1.0}, {}

    def hand(receiver, pos, amount):
        flow[receiver, pos] = flow.get((receiver, pos), 0.0) + amount

    for receiver in reversed(graph.receivers):
        senders = graph.senders[: graph.reads[graph.receiver(receiver)]]
        for pos in range(len(model.embed)):
            if (receiver, pos) not in flow:
                continue
            shares = shares_of([written[name][pos] for name in senders], read[receiver][pos])
            for sender, share in zip(senders, shares, strict=True):
                if share == 0 or share < threshold:
                    continue
                amount = found[sender, receiver, pos] = flow[receiver, pos] * share
                if sender[0] == "m":
                    hand(sender, pos, amount)
                elif sender[0] == "a":
                    layer, head = (int(number) for number in sender[1:].split("."))
                    query, key, value = graph.inputs_of(sender)
                    block = model.layers[layer]
                    inside = (normed(read[name], block.ln1) for name in (query, key, value))
                    pattern, values = looking(model, block, head, *inside)
                    parts = [pattern[pos, at] * values[at] @ block.o[head] for at in range(len(values))]
                    hand(query, pos, amount / 3)
                    for at, part in enumerate(shares_of(parts, sum(parts))):
                        if part > 0 and part >= threshold:
                            hand(key, at, amount * part / 3)
                            hand(value, at, amount * part / 3)
    return found


@covering(("family", CAUSAL), ("threshold", [0.0, 0.08]))
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
            assert_allclose(share[row], sum(at), atol=close)
            assert_allclose(placed[sender, receiver][row, :width], at, atol=close)
            assert (placed[sender, receiver][row, width:] == 0).all()


@EVERY
def test_without_a_threshold_nothing_is_lost(tiny, family):
    """One flows into the logits, and one out of the embedding but for outputs that no part of theirs is near."""
    model = tiny(family, "float64")
    prompts, graph = prompts_for(model, family), graph_of(model)
    flows = scores_of(flow_routes(model, prompts))
    into, out = (dict.fromkeys(names, 0) for names in (graph.receivers, graph.senders))
    for (sender, receiver), flow in flows.items():
        into[receiver], out[sender] = into[receiver] + flow, out[sender] + flow
    assert_allclose(into["logits"], 1, atol=1e-9)
    lost = 1 - out["embed"]
    assert (lost > -1e-9).all()
    assert (lost < 1e-2).all()
    for name in graph.senders[1:]:
        query = graph.inputs_of(name)[0]
        assert_allclose(into[query], out[name] if name[0] == "m" else out[name] / 3, atol=1e-9)


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
    with pytest.raises(EngineError, match="normalises the residual stream"):
        flow_routes(tiny("bert-classifier"), "the keys")
