"""Path patching against two plain runs: what receivers would read, then everything behind them with that put in."""

import numpy as np
import pytest
from asking import CAUSAL, covering, pairs_for
from circuits.test_eap import CLOSE, scores_of
from numpy.testing import assert_allclose
from plain_graph import mlp_write, run
from plain_transformer import plain

from interp.circuits import path_patching
from interp.circuits.interventions.edge_executor import EdgeExecutor
from interp.core.errors import EngineError, OptionError, SiteError
from interp.core.prompts import PromptPairs
from interp.models.writes import graph_of

EACH = covering(("family", CAUSAL), ("mlps", ["frozen", "recomputed"]))


class TwoRuns:
    """One prompt's clean and corrupted run, and the effect of a patch by the definition."""

    def __init__(self, checkpoint, family, model, pairs, row, how="resample"):
        self.graph, self.heads = graph_of(model), model.dims.kv_heads
        self.metric = pairs.metric.select([row])
        self.clean, other = (
            plain(checkpoint, family, side[[row]].tokens[0]) for side in (pairs.clean, pairs.corrupted)
        )
        self.position = self.metric.positions[0]
        logits, self.wrote, self.read = run(self.clean, self.heads, self.position)
        self.value = self.metric.of_rows(logits[None])[0]
        _, elsewhere, _ = run(other, self.heads, self.position)
        self.instead = elsewhere if how == "resample" else {name: 0 * value for name, value in self.wrote.items()}

    def passed_on(self, sender, receiver, mlps):
        """What the receiver reads more: the sender's change, and what MLPs between make of it."""
        extra = self.instead[sender] - self.wrote[sender]
        if mlps == "frozen":
            return extra
        at = self.graph.receiver(receiver)
        for layer, block in enumerate(self.clean.layers):
            name = f"m{layer}"
            reads = self.graph.present[self.graph.sender(sender), self.graph.receiver(name)]
            if reads and self.graph.present[self.graph.sender(name), at]:
                extra = extra + mlp_write(block, self.read[name] + extra) - self.wrote[name]
        return extra

    def effect(self, sender, receivers, mlps):
        extra = {receiver: self.passed_on(sender, receiver, mlps) for receiver in receivers}

        def change(name, value, written):
            return value + extra[name] if name in extra else value

        logits, _, _ = run(self.clean, self.heads, self.position, change)
        return (self.metric.of_rows(logits[None])[0] - self.value).item()


@EACH
def test_agrees_with_two_plain_runs(tiny, checkpoint, family, mlps):
    model = tiny(family, "float64")
    pairs, graph = pairs_for(model, family), graph_of(model)
    receivers = ("logits", "q2.1", "k1.0", "v1.1", "m1", "m0")
    found = scores_of(path_patching(model, pairs, receivers=receivers, mlps=mlps, batch_tokens=40))
    expected = {(u, v) for v in receivers for u in graph.senders if graph.present[graph.sender(u), graph.receiver(v)]}
    assert set(found) == expected
    runs = [TwoRuns(checkpoint, family, model, pairs, row) for row in range(len(pairs))]
    for sender, receiver in found:
        for row, two in enumerate(runs):
            effect = two.effect(sender, [receiver], mlps)
            assert_allclose(found[sender, receiver][row], effect, atol=CLOSE[family], rtol=CLOSE[family])


@EACH
def test_receivers_together_are_patched_at_once(tiny, checkpoint, family, mlps):
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    options = {
        "receivers": ("q2.0", "v1.1", "m2"),
        "senders": ("embed", "0.2", "m0", "m1"),
        "mlps": mlps,
        "how": "zero",
    }
    found = scores_of(path_patching(model, pairs, together=True, **options))
    two = TwoRuns(checkpoint, family, model, pairs, 0, "zero")
    expected = {("embed", "v1.1+q2.0+m2"), ("a0.2", "v1.1+q2.0+m2"), ("m0", "v1.1+q2.0+m2"), ("m1", "q2.0+m2")}
    assert set(found) == expected
    for sender, receivers in expected:
        effect = two.effect(sender, receivers.split("+"), mlps)
        assert_allclose(found[sender, receivers][0], effect, atol=CLOSE[family], rtol=CLOSE[family])


@covering(("family", CAUSAL), ("how", ["resample", "zero", "mean"]))
def test_a_frozen_path_is_an_edge_cut(tiny, family, how):
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    executor = EdgeExecutor(model, pairs, pairs.metric, how)
    graph = executor.graph
    found = scores_of(path_patching(model, pairs, receivers=("k2.1", "m2", "logits"), how=how))
    for (sender, receiver), effect in found.items():
        kept = graph.present.copy()
        kept[graph.sender(sender), graph.receiver(receiver)] = False
        expected = executor.metric_of(executor.run(kept))[0] - executor.clean_metric
        assert_allclose(effect, expected, atol=1e-4 if family != "gpt2" else 1e-9)


@EACH
def test_equal_prompts_have_no_effect(tiny, family, mlps):
    model = tiny(family, "float64")
    clean = pairs_for(model, family).clean
    found = path_patching(model, PromptPairs(clean, clean), receivers=("q1.0", "logits"), mlps=mlps)
    assert_allclose(found.values(), 0, atol=1e-5 if family != "gpt2" else 1e-12)


def test_how_many_run_side_by_side_changes_nothing(tiny):
    model = tiny("gpt2", "float64")
    pairs = pairs_for(model, "gpt2")
    for mlps in ("frozen", "recomputed"):
        options = {"receivers": ("v2.0", "logits"), "mlps": mlps}
        results = [path_patching(model, pairs, batch_tokens=size, **options).values() for size in (1, 30, 4000)]
        assert_allclose(results[0], results[1], atol=1e-9)
        assert_allclose(results[0], results[2], atol=1e-9)
    alone = path_patching(model, pairs[[1]], **options).values()
    assert_allclose(alone[0], results[0][1], atol=1e-9)


def test_what_it_cannot_treat(tiny):
    model = tiny("llama")
    pairs = pairs_for(model, "llama")
    with pytest.raises(SiteError, match="there is no receiver 'k0.3'"):
        path_patching(model, pairs, receivers=("k0.3",))
    with pytest.raises(SiteError, match="there is no sender 'a9.0'"):
        path_patching(model, pairs, senders=("a9.0",))
    with pytest.raises(OptionError, match="none of the senders writes before q0.1 reads"):
        path_patching(model, pairs, senders=("a2.0", "m1"), receivers=("q0.1",))
    with pytest.raises(OptionError, match="needs a corrupted prompt"):
        path_patching(model, pairs.clean)
    with pytest.raises(EngineError, match="normalises the residual stream"):
        path_patching(tiny("bert-masked"), pairs_for(tiny("bert-masked"), "bert-masked"))


def test_every_sender_by_default(tiny):
    model = tiny("gptneox")
    result = path_patching(model, pairs_for(model, "gptneox"))
    assert list(result.data["sender"].values) == list(graph_of(model).senders)
    assert set(np.unique(result.data["receiver"].values)) == {"logits"}
