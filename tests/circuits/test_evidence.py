"""Evidence for a circuit, number by number from the definitions: one run a set of edges, loops for the rest."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from asking import pairs_for
from numpy.testing import assert_allclose
from scipy import stats

from interp import circuits
from interp.circuits.interventions.edge_executor import EdgeExecutor
from interp.circuits.interventions.groups import groups
from interp.circuits.search import constants
from interp.circuits.search.constants import optimal_constants
from interp.circuits.search.objective import Objective
from interp.core.edges import CircuitEdge
from interp.core.errors import Cancelled, EngineError, InterpError, OptionError, ResultError
from interp.core.progress import reporting
from interp.core.prompts import PromptPairs
from interp.core.result import Result
from interp.kinds import Circuit

FAMILIES = pytest.mark.parametrize("family", ["llama", "gptneox"])
QUICK = {"budgets": (5, 20, 100), "draws": 2, "tested_nodes": 3, "knockouts": 2, "tested_edges": 6, "size": 60}


@pytest.fixture(scope="module")
def case(tiny):
    """A model in float64, its pairs, the metric of a mask prompt by prompt, and EAP's scores."""

    def make(family="llama", how="resample"):
        model = tiny(family, "float64")
        pairs = pairs_for(model, family)
        executor = EdgeExecutor(model, pairs, pairs.metric, how)

        @torch.no_grad()
        def metric(mask):
            return executor.metric_of(executor.run(mask))[0].numpy()

        return model, pairs, metric, circuits.eap(model, pairs, how=how)

    return make


def number(result, name):
    return float(result.data[name])


def strongest(graph, mean, count):
    """The mask of the edges with the largest |score|."""
    senders, receivers = np.nonzero(graph.present)
    mask = np.zeros_like(graph.present)
    for index in sorted(range(len(mean)), key=lambda i: -abs(mean[i]))[:count]:
        mask[senders[index], receivers[index]] = True
    return mask


def resampled_twice(statistic):
    """Of two prompts: what resamples give, each as likely as said, and so the ends of the 95 % interval."""
    return {(0, 0): (0.25, statistic([0, 0])), (0, 1): (0.5, statistic([0, 1])), (1, 1): (0.25, statistic([1, 1]))}


def ends_of(statistic):
    values = [value for _, value in resampled_twice(statistic).values()]
    return min(values), max(values)


@FAMILIES
@pytest.mark.parametrize("how", ["resample", "zero", "mean"])
def test_faithfulness_and_curve(case, family, how):
    model, pairs, metric, scores = case(family, how)
    circuit = Circuit.of(scores, 60)
    result = circuits.circuit_evidence(model, pairs, how=how, **QUICK)
    graph, mean = circuit.graph, scores.data["score"].values.mean(0)
    clean, none = metric(graph.present), metric(np.zeros_like(graph.present))

    def share(values, rows=(0, 1)):
        rows = list(rows)
        return (values[rows].mean() - none[rows].mean()) / (clean[rows].mean() - none[rows].mean())

    own = metric(circuit.mask)
    assert_allclose(number(result, "faithfulness"), share(own), atol=1e-6)
    ends = result.data["faithfulness_interval"]
    assert_allclose(ends, ends_of(lambda rows: share(own, rows)), atol=1e-5, rtol=1e-4)
    assert_allclose(
        [number(result, n) for n in ("clean", "corrupted", "circuit")], [clean.mean(), none.mean(), own.mean()]
    )
    assert number(result, "edges") == len(circuit)

    budgets = [percent / 100 for percent in QUICK["budgets"]]
    sizes = [int(budget * graph.edge_count) for budget in budgets]  # as MIB's evaluation has it
    masks = [strongest(graph, mean, size) for size in sizes]
    curve = [share(metric(mask)) for mask in masks]
    assert result.data["nominal"].values.tolist() == sizes
    assert result.data["pruned"].values.tolist() == [graph.pruned(m, resampled=how == "resample").sum() for m in masks]
    assert_allclose(result.data["curve"], curve, atol=1e-6)
    lowest = [ends_of(lambda rows, mask=mask: share(metric(mask), rows))[0] for mask in masks]
    assert_allclose(result.data["curve_interval"].sel(bound="low"), lowest, atol=1e-5, rtol=1e-4)
    assert_allclose(result.data["budget"], budgets)
    signed = [share(metric(strongest(graph, np.minimum(mean - mean.max(), 0), size))) for size in sizes]
    assert_allclose(result.data["signed_curve"], signed, atol=1e-6)
    assert_allclose(number(result, "cpr"), area(budgets, signed), atol=1e-6)
    assert_allclose(number(result, "cmd"), area(budgets, [abs(1 - f) for f in curve]), atol=1e-6)
    random = result.data["random_curve"].values.T
    assert_allclose(number(result, "random_cpr"), np.mean([area(budgets, own) for own in random]))
    assert_allclose(number(result, "random_cmd"), np.mean([area(budgets, abs(1 - own)) for own in random]))


def area(budgets, curve):
    """MIB's: trapezoids between neighbouring budgets, nothing before the first."""
    steps = zip(budgets, budgets[1:], curve, curve[1:], strict=False)
    return sum((right - left) * (f + g) / 2 for left, right, f, g in steps)


def test_budgets_that_are_no_edge_keep_none(case):
    """Of MIB's ten budgets the first are less than one edge of a small graph."""
    model, pairs, *_ = case()
    data = circuits.circuit_evidence(model, pairs, **{**QUICK, "budgets": (0.1, 0.2, 100)}).data
    assert data["nominal"].values.tolist()[:2] == [0, 0]
    assert_allclose(data["curve"], [0, 0, 1], atol=1e-6)


@FAMILIES
def test_cut_edges_carry_a_mean_over_all_prompts_or_what_hurts_least(case, family, monkeypatch):
    """The mean of every sender by hand, padding left out; the learned constants keep more of the answer."""
    monkeypatch.setattr(constants, "STEPS", 50)
    model, pairs, *_ = case(family)
    executor = EdgeExecutor(model, pairs, pairs.metric, "mean")
    written = torch.cat(list(executor.whole().outputs.values()))
    rows = [written[:, row, : int(mask.sum())] for row, mask in enumerate(pairs.clean.mask)]
    mean = torch.cat(rows, 1).mean(1)
    masks = np.random.default_rng(0).random((8, *executor.graph.present.shape)) < 0.5
    with torch.no_grad():
        constant = executor.with_constants(mean)
        assert_allclose(constant.run(executor.graph.present).logits[0], executor.clean_logits, atol=1e-9)
        (stream,) = constant.cut.inputs["logits", model.dims.layers][:, 0, 0]
        biases = sum(model.weights.output_bias(layer) for layer in range(model.dims.layers))
        assert_allclose(stream, mean.sum(0) + biases, atol=1e-9)
    data = circuits.circuit_evidence(model, pairs, how="dataset-mean", **QUICK).data
    assert_allclose(data["corrupted"], constant.cut_metric.mean(), atol=1e-9)
    some = groups(pairs, pairs.metric, 1000)
    best = optimal_constants(some, lambda group: executor, seed=0)
    with torch.no_grad():
        kl = Objective("kl", pairs.metric, executor.clean_logits)
        assert kl(executor.with_constants(best).run(masks).logits).mean() < kl(constant.run(masks).logits).mean()
    data = circuits.circuit_evidence(model, pairs, how="optimal", **QUICK, batch_tokens=1000).data
    assert_allclose(data["corrupted"], executor.with_constants(best).cut_metric.mean(), atol=1e-6)


def test_stability_is_the_mean_jaccard_of_resampled_circuits(case):
    """Every two of resamples of two prompts, by sets, as often as chance makes them."""
    model, pairs, _, scores = case()
    per_prompt, size = scores.data["score"].values, len(Circuit.of(scores, QUICK["size"]))
    chosen = {rows: set(np.argsort(-abs(per_prompt[list(rows)].mean(0)))[:size]) for rows in ((0, 0), (0, 1), (1, 1))}
    chance = {(0, 0): 0.25, (0, 1): 0.5, (1, 1): 0.25}
    expected = sum(
        chance[a] * chance[b] * len(chosen[a] & chosen[b]) / len(chosen[a] | chosen[b]) for a in chance for b in chance
    )
    assert 0 < expected < 1
    found = number(circuits.circuit_evidence(model, pairs, **QUICK), "stability")
    assert found == pytest.approx(expected, abs=0.08)


@FAMILIES
def test_nodes_are_removed_one_by_one(case, family):
    model, pairs, metric, scores = case(family)
    circuit = Circuit.of(scores, 60)
    result = circuits.circuit_evidence(model, pairs, **{**QUICK, "tested_nodes": 100, "knockouts": 0})
    nodes = result.data["component"].values.tolist()
    assert Counter(nodes) == Counter(name for name in circuit.nodes if name not in ("embed", "logits"))
    every = circuit.graph.describe(np.argwhere(circuit.graph.present))
    whole = replace(circuit, edges=tuple(CircuitEdge(*ends) for ends in every))
    own, apart = metric(circuit.mask), []
    for node, effect, (low, high), incompleteness in zip(
        nodes,
        result.data["minimality"].values,
        result.data["minimality_interval"].values,
        result.data["node_incompleteness"].values,
        strict=True,
    ):
        moved = metric(circuit.without([node]).mask) - own
        assert_allclose([effect, low, high], [moved.mean(), moved.min(), moved.max()], atol=1e-6)
        apart.append(metric(circuit.without([node]).mask) - metric(whole.without([node]).mask))
        assert_allclose(incompleteness, abs(apart[-1].mean()), atol=1e-6)
    mean = lambda rows=(0, 1): np.mean([abs(each[list(rows)].mean()) for each in apart])  # noqa: E731
    assert_allclose(number(result, "incompleteness"), mean(), atol=1e-6)
    assert_allclose(result.data["incompleteness_interval"], ends_of(mean), atol=1e-5)


@FAMILIES
def test_edges_are_truly_patched(case, family):
    model, pairs, metric, scores = case(family)
    circuit = Circuit.of(scores, 60)
    graph, data = circuit.graph, circuits.circuit_evidence(model, pairs, **QUICK).data
    by_name = {edge.ends[:2]: edge.score for edge in circuit.edges}
    names = list(zip(data["sender"].values, data["receiver"].values, strict=True))
    assert names == sorted(by_name, key=lambda ends: -abs(by_name[ends]))[:6]
    effects = []
    for (sender, receiver), effect, (low, high) in zip(
        names, data["edge_effect"].values, data["edge_effect_interval"].values, strict=True
    ):
        mask = graph.present.copy()
        mask[graph.sender(sender), graph.receiver(receiver)] = False
        moved = metric(mask) - metric(graph.present)
        assert_allclose([effect, low, high], [moved.mean(), moved.min(), moved.max()], atol=1e-6)
        effects.append(moved.mean())
    estimated = [by_name[ends] for ends in names]
    assert_allclose(data["edge_score"], estimated)
    assert_allclose(data["rank_correlation"], stats.spearmanr(estimated, effects).statistic)
    error = sum(abs(a - b) for a, b in zip(estimated, effects, strict=True)) / sum(map(abs, effects))
    assert_allclose(data["linearisation_error"], error, rtol=1e-6)
    per_prompt, order = scores.data["score"].values, [tuple(e) for e in graph.describe(np.argwhere(graph.present))]

    def chosen(rows, ends):
        mean = per_prompt[rows].mean(0)
        return order.index(ends) in set(np.argsort(-np.abs(mean))[: len(circuit)].tolist())

    for ends, often in zip(names, data["selection_frequency"].values, strict=True):
        expected = sum(share * found for share, found in resampled_twice(lambda r, e=ends: chosen(r, e)).values())
        assert often == pytest.approx(expected, abs=0.11)


def test_the_whole_model_and_nothing(case, tmp_path):
    model, pairs, _, scores = case()
    whole = Circuit.of(scores)
    path = whole.save(tmp_path / "whole")
    result = circuits.circuit_evidence(model, pairs, circuit=str(path), **QUICK)
    found = [number(result, name) for name in ("faithfulness", "random_faithfulness", "incompleteness")]
    assert_allclose(found, [1, 1, 0], atol=1e-6)
    assert_allclose(result.data["random_curve"].values[-1], 1, atol=1e-6)
    assert_allclose(result.data["curve"].values[-1], 1, atol=1e-6)
    path = replace(whole, edges=()).save(tmp_path / "nothing")
    result = circuits.circuit_evidence(model, pairs, circuit=str(path), **QUICK)
    assert number(result, "faithfulness") == pytest.approx(0, abs=1e-6)
    assert np.isnan(number(result, "incompleteness"))
    assert result.data.sizes["edge"] == result.data.sizes["component"] == 0
    assert Result.load(result.save(tmp_path / "e")).data.identical(result.data)


def test_the_same_circuit_from_every_kind_of_file(case, tmp_path):
    """EAP's own choice, its circuit as JSON, its saved scores; and what edges were ranked by is said."""
    model, pairs, _, scores = case()
    circuit = Circuit.of(scores, 60)
    own = circuits.circuit_evidence(model, pairs, **QUICK)
    from_json = circuits.circuit_evidence(model, pairs, circuit=str(circuit.save(tmp_path / "c")), **QUICK)
    from_scores = circuits.circuit_evidence(model, pairs, circuit=str(scores.save(tmp_path / "s")), **QUICK)
    for other in (from_json, from_scores):
        for name, array in own.data.data_vars.items():
            assert_allclose(other.data[name], array, atol=1e-9, err_msg=name)
    assert "ranked by eap on these prompts" in from_json.measured
    assert "ranked by the eap scores of the file" in from_scores.measured
    assert "the eap circuit of" in from_json.measured


def test_edges_at_positions(case, tmp_path):
    """An edge at every position is the edge; positions have to be those of the prompts."""
    model, pairs, _, scores = case()
    pairs = pairs[[0]]
    circuit = Circuit.of(scores, 60)
    width = pairs.clean.width
    placed = tuple(edge._replace(pos=pos) for edge in circuit.edges for pos in range(width))
    tokens = pairs.clean.labels[0]
    everywhere = replace(circuit, edges=placed, tokens=tokens)
    by_position = circuits.circuit_evidence(model, pairs, circuit=str(everywhere.save(tmp_path / "p")), **QUICK)
    plain = circuits.circuit_evidence(model, pairs, circuit=str(circuit.save(tmp_path / "c")), **QUICK)
    for name in set(plain.data.data_vars) - {"edges"}:
        assert_allclose(by_position.data[name], plain.data[name], atol=1e-9, err_msg=name)
    assert np.isnan(plain.data["faithfulness_interval"]).all()
    longer = replace(everywhere, tokens=(*tokens, " more"))
    with pytest.raises(OptionError, match=f"are at {width + 1} positions but the prompts have {width} tokens"):
        circuits.circuit_evidence(model, pairs, circuit=str(longer.save(tmp_path / "l")), **QUICK)


@FAMILIES
def test_how_prompts_are_grouped_does_not_matter(case, family):
    """One prompt at a time without padding, or both side by side."""
    model, pairs, *_ = case(family)
    alone, together = (circuits.circuit_evidence(model, pairs, batch_tokens=n, **QUICK).data for n in (1, 10**4))
    for name in alone.data_vars:
        assert_allclose(alone[name], together[name], atol=1e-6, rtol=1e-6, err_msg=name)


def test_random_circuits_follow_the_seed(case):
    model, pairs, *_ = case()
    one, other = (circuits.circuit_evidence(model, pairs, seed=seed, **QUICK).data for seed in (0, 1))
    assert not np.allclose(one["random_curve"], other["random_curve"])
    assert_allclose(one["curve"], other["curve"])


def one_line(error) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


def test_nothing_to_explain(case):
    """Clean and corrupted prompts with the same answer: said, not divided by."""
    model, pairs, *_ = case()
    same = PromptPairs(pairs.clean, pairs.clean)
    with pytest.raises(EngineError, match="has nothing to explain") as error:
        circuits.circuit_evidence(model, same, **QUICK)
    one_line(error)


def test_files_that_do_not_serve(case, tiny, tmp_path):
    model, pairs, _, scores = case()
    other, its = tiny("gpt2"), pairs_for(tiny("gpt2"), "gpt2")
    circuit = str(Circuit.of(scores, 60).save(tmp_path / "c"))
    for path, wanted in ((circuit, "load that model"), (str(scores.save(tmp_path / "s")), "load that model")):
        with pytest.raises(ResultError, match=wanted) as error:
            circuits.circuit_evidence(other, its, circuit=path)
        one_line(error)
    effects = circuits.activation_patching(model, pairs).save(tmp_path / "effects")
    for path, wanted in (
        (str(effects), "holds Effects, which has no edges"),
        (str(tmp_path / "absent.json"), "no graph at"),
        (str(tmp_path / "absent.nc"), "no result at"),
    ):
        with pytest.raises(InterpError, match=wanted) as error:
            circuits.circuit_evidence(model, pairs, circuit=path)
        one_line(error)


def test_cut_edges_may_do_without_corrupted_prompts(case):
    model, pairs, *_ = case()
    result = circuits.circuit_evidence(model, pairs.clean, how="zero", **QUICK)
    both = circuits.circuit_evidence(model, pairs, how="zero", **QUICK)
    assert_allclose(number(result, "faithfulness"), number(both, "faithfulness"))
    with pytest.raises(OptionError, match="corrupted"):
        circuits.circuit_evidence(model, pairs.clean, **QUICK)


def test_it_can_be_cancelled(case):
    model, pairs, *_ = case()
    seen = []

    def stop(label, done, total):
        seen.append((label, done, total))
        if done == 1 and "testing" in label:
            raise Cancelled("stop")

    with reporting(stop), pytest.raises(Cancelled):
        circuits.circuit_evidence(model, pairs, **QUICK)
    label, done, total = seen[-1]
    assert "testing" in label
    assert done == 1 < total


@pytest.mark.parametrize("how", ["resample", "zero"])
@FAMILIES
def test_pruning_leaves_the_answer_as_it_is(case, family, how):
    """Random sparse circuits: pruned twice is pruned once, and no logit moves."""
    _, _, metric, scores = case(family, how)
    graph, random = Circuit.of(scores, 1).graph, np.random.default_rng(0)
    fewer = 0
    for share in (0.02, 0.05, 0.1, 0.2, 0.4):
        kept = graph.present & (random.random(graph.present.shape) < share)
        pruned = graph.pruned(kept, resampled=how == "resample")
        assert (graph.pruned(pruned, resampled=how == "resample") == pruned).all()
        assert_allclose(metric(pruned), metric(kept), atol=1e-9)
        fewer += int(kept.sum() - pruned.sum())
    assert fewer > 0
