"""Patterns computed again in the backward pass are the patterns that were not kept, bit for bit."""

import pytest
import torch
from asking import prompts_for
from tiny import FAMILIES

from interp.attribution import attnlrp, cp_lrp
from interp.core.prompts import Prompts
from interp.models import recomputing
from interp.models.recomputing import Recomputing
from interp.models.sites import Site


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_recomputed_patterns_are_the_recorded_ones(family, dtype, tiny):
    model = tiny(family, dtype)
    prompts = prompts_for(model, family)
    if not model.has("scores"):
        assert not Recomputing.pays(model, prompts)
        pytest.skip("its scores cannot be seen")
    again = Recomputing(model, prompts.width)
    trace = model.run(prompts, record=model.sites("pattern"), edits=again.edits())
    for layer in range(model.dims.layers):
        pattern = trace[Site("pattern", layer)]
        assert torch.equal(again._compute(layer).to(pattern.dtype), pattern)


@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt2", "gptneox"])
@pytest.mark.parametrize("engine", [attnlrp, cp_lrp])
def test_relevance_is_the_same_and_no_pattern_is_kept(engine, family, tiny, monkeypatch):
    model = tiny(family, "float64")
    prompts = Prompts.of(model, ["The keys to the cabinet", "The keys"], target=" are", contrast=" is")
    assert prompts.width != model.dims.d_head
    kept = engine(model, prompts)
    spared = []
    pack = Recomputing._pack

    def count(self, tensor):
        packed = pack(self, tensor)
        spared.append(packed is not tensor)
        return packed

    monkeypatch.setattr(recomputing, "WORTHWHILE", 0)
    monkeypatch.setattr(Recomputing, "_pack", count)
    again = engine(model, prompts)
    assert sum(spared) >= model.dims.layers
    assert kept.data.equals(again.data)
