"""Experts as senders: cut edges, gradients and patches against the definition over bare matrices, in float64."""

import pytest
import torch
from asking import pairs_for, some
from circuits.test_eap import definition as gradients_by_definition
from circuits.test_eap import scores_of
from circuits.test_edge_executor import definition as cut_by_definition
from circuits.test_edge_executor import executor_of, some_edges
from numpy.testing import assert_allclose
from tiny import MIXTURES

import interp
from interp.circuits import ablation, activation_patching, attribution_patching, eap, path_patching
from interp.core.errors import SiteError
from interp.core.graph import ComputationGraph
from interp.models import Edit, Site
from interp.models.writes import graph_of

EVERY = some("family", MIXTURES, always=["qwen2moe"])
CLOSE = {"atol": 1e-5, "rtol": 1e-5}  # Hugging Face computes norms, softmax and router in float32


def test_the_graph_has_experts_in_the_place_of_mlps():
    graph = ComputationGraph(2, 2, 1, experts=3)
    assert graph.senders[1:6] == ("a0.0", "a0.1", "E0.0", "E0.1", "E0.2")
    assert graph.receivers == ("q0.0", "q0.1", "k0.0", "v0.0", "m0", "q1.0", "q1.1", "k1.0", "v1.0", "m1", "logits")
    assert graph.inputs_of("E1.2") == ("m1",)
    # into layer 0: 1 × 4 and 3; into layer 1: 6 × 4 and 8; into the logits 11
    assert graph.edge_count == 4 + 3 + 24 + 8 + 11
    with pytest.raises(SiteError, match=r"an expert such as E4\.1.*experts 0 to 2"):
        graph.sender("E0.3")


@EVERY
@pytest.mark.parametrize("how", ["resample", "zero", "mean"])
def test_cut_edges_are_the_definitions(tiny, checkpoint, family, how):
    with torch.no_grad():
        executor, pairs = executor_of(tiny, family, how)
        kept = some_edges(executor.graph)
        found = executor.run(kept).logits[0]
        for row in range(len(pairs)):
            expected = cut_by_definition(checkpoint, executor, pairs, family, row, how, kept)
            assert_allclose(found[row], expected, **CLOSE)


@EVERY
def test_eap_is_the_definition(tiny, checkpoint, family):
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    found = scores_of(eap(model, pairs))
    for row in range(len(pairs)):
        gradients, differences, _, _ = gradients_by_definition(checkpoint, family, model, pairs, row, "resample")
        for (sender, receiver), value in found.items():
            expected = (differences[sender] * gradients[receiver]).sum()
            assert_allclose(value[row], expected, atol=1e-4, rtol=1e-4, err_msg=f"{sender} → {receiver}")


@EVERY
def test_a_patched_edge_is_the_run_without_it(tiny, family):
    """Every edge out of an expert into a later MLP and the logits: cut by path patching, and in a run of its own."""
    executor, pairs = executor_of(tiny, family)
    graph = executor.graph
    senders = tuple(name for name in graph.senders if name.startswith("E1."))
    data = path_patching(executor.model, pairs, senders=senders, receivers=("m2", "logits")).data
    with torch.no_grad():
        for edge, (sender, receiver) in enumerate(zip(data.sender.values, data.receiver.values, strict=True)):
            mask = graph.present.copy()
            mask[graph.sender(sender), graph.receiver(receiver)] = False
            change = executor.metric_of(executor.run(mask))[0] - executor.clean_metric
            assert_allclose(data.score.values[:, edge], change, atol=1e-6)


@EVERY
def test_ablating_an_expert_is_taking_away_what_it_writes(tiny, family):
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    site = Site("expert_write", 1)
    write = model.run(pairs.clean, record=[site])[site]
    by_hand = model.run(pairs.clean, edits=[Edit.add(Site("mlp_out", 1), -write[:, :, 2])], answer=pairs.metric).logits
    data = ablation(model, pairs, nodes=("E1.2",), how="zero").data
    assert_allclose(data.edited, pairs.metric.of_rows(by_hand), atol=1e-9)
    with pytest.raises(SiteError, match="has no node E1.9"):
        ablation(model, pairs, nodes=("E1.9",))


@EVERY
def test_patching_an_expert_and_its_estimate(tiny, family):
    """One expert's write replaced by hand; the estimate is the gradient there times the change."""
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    row, site = pairs[[0]], Site("expert_write", 1)
    measured = activation_patching(model, pairs, site="expert_write").data.effect.values
    estimate = attribution_patching(model, pairs, site="expert_write").data.effect.values
    assert measured.shape == estimate.shape == (2, 3, model.dims.experts)
    now, other = (model.run(side, record=[site])[site] for side in (row.clean, row.corrupted))
    clean = row.clean.metric(model.logits(row.clean))
    for expert in range(model.dims.experts):
        put = now.clone()
        put[:, :, expert] = other[:, :, expert]
        edited = model.run(row.clean, edits=[Edit.replace(site, put)]).logits
        assert_allclose(measured[0, 1, expert], (row.clean.metric(edited) - clean).item(), atol=1e-9)
    leaf = now.clone().requires_grad_()
    value = row.clean.metric(model.run(row.clean, edits=[Edit.replace(site, leaf)]).logits).sum()
    (gradient,) = torch.autograd.grad(value, leaf)
    assert_allclose(estimate[0, 1], ((other - now) * gradient).sum((0, 1, 3)), atol=1e-7)


def test_a_model_without_experts_has_none(tiny):
    model = tiny("llama")
    assert not graph_of(model).experts
    with pytest.raises(SiteError, match="has no node E0.0"):
        interp.circuits.ablation(model, "Mary", target=" Mary", nodes=("E0.0",))
