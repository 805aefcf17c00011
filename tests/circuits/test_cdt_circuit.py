"""CD-T's search against one head followed at a time, and its circuit against silencing all other heads."""

import numpy as np
import pytest
from asking import CAUSAL, covering, pairs_for
from numpy.testing import assert_allclose

from interp.attribution import cdt_sources
from interp.circuits import ablation, cdt_circuit
from interp.core.errors import EngineError, OptionError
from interp.core.metric import Metric
from interp.models.writes import graph_of


def relevance(model, prompts, source, target):
    """Mean over prompts of what one head is to another, or to the answer."""
    result = cdt_sources(model, prompts, sources=[f"a{source[0]}.{source[1]}"], target_node=target)
    return float(result.values("relevance").mean())


def search(model, prompts, rounds, chosen):
    """The heads kept, and {(source, target name): relevance}; `chosen` picks from a list of sizes."""
    heads = [(layer, head) for layer in range(model.dims.layers) for head in range(model.dims.heads)]
    measured = {(source, "logits"): relevance(model, prompts, source, "logits") for source in heads}
    kept = [heads[index] for index in chosen([abs(measured[source, "logits"]) for source in heads])]
    targets = list(kept)
    for _ in range(rounds - 1):
        found = []
        for target in targets:
            above = [source for source in heads if source[0] < target[0]]
            name = f"a{target[0]}.{target[1]}"
            for source in above:
                measured[source, name] = relevance(model, prompts, source, name)
            if above:
                found += [above[index] for index in chosen([measured[source, name] for source in above])]
        targets = [head for head in dict.fromkeys(found) if head not in kept]
        kept += targets
    return kept, measured


def outliers(number):
    return lambda sizes: [i for i, size in enumerate(sizes) if size > np.mean(sizes) + number * np.std(sizes)]


def largest(number):
    return lambda sizes: sorted(range(len(sizes)), key=lambda index: -sizes[index])[:number]


CHOICES = [({"outliers": 0.7}, outliers(0.7)), ({"top": 2}, largest(2)), ({"rounds": 1}, outliers(2.0))]


@covering(("family", CAUSAL), ("options, chosen", CHOICES))
def test_agrees_with_one_head_at_a_time(tiny, family, options, chosen):
    model = tiny(family, "float64")
    prompts, graph = pairs_for(model, family).clean, graph_of(model)
    result = cdt_circuit(model, prompts, **options)
    kept, measured = search(model, prompts, options.get("rounds", 3), chosen)
    names = {f"a{layer}.{head}" for layer, head in kept}
    senders = set(result.data["sender"].values)
    assert {name for name in senders if name[0] == "a"} == names
    read = {receiver for name in names for receiver in graph.inputs_of(name)}
    assert {name for name in result.data["receiver"].values if name[0] in "qkv"} == read
    wanted = {}
    for ((layer, head), target), value in measured.items():
        for receiver in ("logits",) if target == "logits" else graph.inputs_of(target):
            key = f"a{layer}.{head}", receiver
            wanted[key] = max(value, wanted.get(key, value))
    data = result.data
    found = zip(
        data["candidate_sender"].values, data["candidate_receiver"].values, data["relevance"].values, strict=True
    )
    for sender, receiver, value in found:
        assert_allclose(value, wanted.get((sender, receiver), np.nan), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("family", ["llama", "qwen3", "gpt2", "gptneox"])
@pytest.mark.parametrize("how", ["mean", "zero", "resample"])
def test_its_metric_is_that_of_the_model_with_all_other_heads_silenced(tiny, family, how):
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    result = cdt_circuit(model, pairs, top=2, rounds=2, how=how)
    heads = {f"a{layer}.{head}" for layer in range(model.dims.layers) for head in range(model.dims.heads)}
    others = sorted(heads - set(result.data["sender"].values))
    assert others
    silenced = ablation(model, pairs, nodes=others, how=how)
    assert_allclose(result.values("circuit"), silenced.values("edited").mean(), atol=1e-5 if family != "gpt2" else 1e-9)
    assert_allclose(result.values("clean"), silenced.values("clean").mean(), atol=1e-9)
    clean, cut, circuit = (float(result.values(name)) for name in ("clean", "corrupted", "circuit"))
    assert_allclose(result.values("faithfulness"), (circuit - cut) / (clean - cut))
    assert int(result.values("edges")) == result.data.sizes["edge"]


def test_what_it_cannot_treat(tiny):
    model = tiny("llama")
    with pytest.raises(OptionError, match="needs a corrupted prompt"):
        cdt_circuit(model, "The keys", target=" Mary", how="resample")
    with pytest.raises(EngineError, match="splits a logit, not a prob"):
        cdt_circuit(model, "The keys", metric=Metric.of(model, " Mary", positions=(1,), scale="prob"))
    with pytest.raises(EngineError, match="normalises the residual stream"):
        cdt_circuit(tiny("bert-masked"), pairs_for(tiny("bert-masked"), "bert-masked"))
