"""A circuit that is run, from the definition: one run a set of edges."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from asking import pairs_for

from interp import circuits
from interp.circuits import EdgeExecutor
from interp.kinds import Circuit, CircuitAblation
from interp.models import HookedModel


@pytest.fixture
def case(tiny: Callable[..., HookedModel]):
    model = tiny("llama", "float64")
    pairs = pairs_for(model, "llama")
    assert pairs.metric is not None
    executor = EdgeExecutor(model, pairs, pairs.metric)
    return model, pairs, executor, circuits.eap(model, pairs)


@torch.no_grad()
def metric(executor: EdgeExecutor, kept: np.ndarray) -> np.ndarray:
    return executor.metric_of(executor.run(kept))[0].numpy()


def test_a_circuit_alone_is_the_run_with_its_edges(case) -> None:
    model, pairs, executor, scores = case
    circuit = Circuit.of(scores, edges=40)
    result = circuits.circuit_ablation(executor, circuit, top=3)
    assert type(result) is CircuitAblation
    data, alone = result.data, metric(executor, circuit.mask)
    clean, cut = metric(executor, executor.graph.present), metric(executor, np.zeros_like(executor.graph.present))
    np.testing.assert_allclose(data["clean"], clean, atol=1e-8)
    np.testing.assert_allclose(data["corrupted"], cut, atol=1e-8)
    np.testing.assert_allclose(data["edited"], alone, atol=1e-8)
    np.testing.assert_allclose(data["effect"], alone - clean, atol=1e-8)
    share = (alone.mean() - cut.mean()) / (clean.mean() - cut.mean())
    assert float(data["faithfulness"]) == pytest.approx(share)
    prob = model.logits(pairs.clean)[0, pairs.metric.positions[0]].softmax(-1).sort(descending=True)
    np.testing.assert_allclose(data["clean_prob"][0], prob.values[:3].numpy(), atol=1e-8)
    assert data["clean_token"].values[0].tolist() == [model.token_label(int(t)) for t in prob.indices[:3]]


def test_every_edge_is_the_whole_model_and_none_is_the_corrupted_run(case) -> None:
    _, _, executor, scores = case
    whole = Circuit.of(scores, prune=False)
    assert float(circuits.circuit_ablation(executor, whole).data["faithfulness"]) == pytest.approx(1)
    none = circuits.circuit_ablation(executor, whole.without(["embed"])).data
    np.testing.assert_allclose(none["edited"], none["corrupted"], atol=1e-8)


def test_edges_at_some_positions_only(case) -> None:
    model, pairs, _, _ = case
    alone = EdgeExecutor(model, pairs[[0]], pairs[[0]].metric)
    circuit = Circuit.of(circuits.eap(model, pairs[[0]], by_position=True), edges=60)
    assert circuit.by_position
    result = circuits.circuit_ablation(alone, circuit)
    np.testing.assert_allclose(result.data["edited"], metric(alone, circuit.mask[None]), atol=1e-8)


@pytest.mark.parametrize("extraction", ["top", "greedy"])
def test_growth_is_a_run_a_size(case, extraction) -> None:
    _, _, executor, scores = case
    data = circuits.circuit_growth(executor, scores, extraction, sizes=4, draws=2).data
    sizes = data["edges"].values.tolist()
    assert sizes[-1] == executor.graph.edge_count
    clean, cut = executor.clean_metric.mean().item(), executor.cut_metric.mean().item()
    for size, share in zip(sizes, data["faithfulness"].values, strict=True):
        kept = Circuit.of(scores, edges=size, extraction=extraction).mask
        assert share == pytest.approx((metric(executor, kept).mean() - cut) / (clean - cut))
    np.testing.assert_allclose(data["random_faithfulness"][-1], [1, 1])


def test_where_nothing_changes_no_share_is_made_up(case) -> None:
    model, pairs, _, scores = case
    same = type(pairs)(pairs.clean, pairs.clean)
    executor = EdgeExecutor(model, same, pairs.metric)
    assert np.isnan(circuits.circuit_ablation(executor, Circuit.of(scores, edges=9)).data["faithfulness"])
    assert np.isnan(circuits.circuit_growth(executor, scores, sizes=3).data["faithfulness"]).all()


def test_an_executor_asked_in_text(case) -> None:
    model, _, _, _ = case
    clean, corrupted = "When Mary gave a drink to", "When John gave a drink to"
    made = EdgeExecutor.of(model, clean, corrupted=corrupted, target=" Mary", contrast=" John")
    assert made.nbytes > 0
    logits = model.logits(made.clean)[:, -1]
    torch.testing.assert_close(made.clean_logits, logits)
    alone = EdgeExecutor.of(model, clean, target=" Mary", how="mean")
    assert alone.metric.contrasts is None
