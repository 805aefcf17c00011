"""Attribution methods that need no model, to evaluate with."""

from collections.abc import Callable

import pytest
import torch

from interp.core.engine import EngineSpec
from interp.kinds import Relevance

Give = Callable[..., torch.Tensor]


@pytest.fixture
def stub_method() -> Callable[[str, Give], EngineSpec]:
    """A method by its name and a function from prompts to relevance."""

    def make(name: str, give: Give, **more) -> EngineSpec:
        def run(model, prompts, metric, options):
            relevance = give(prompts)
            return Relevance.accounted(
                prompts, relevance, relevance.sum(-1), unit=metric.unit, measured="made up for a test"
            )

        return EngineSpec(name=name, run=run, result=Relevance, summary="a stub", source="none", **more)

    return make


@pytest.fixture
def methods_are(monkeypatch) -> Callable[..., None]:
    """Put other methods in the place of those that there are."""
    return lambda *methods: monkeypatch.setattr("interp.evaluation.methods.METHODS", methods)


@pytest.fixture
def by_token() -> Give:
    """Relevance that depends on the token and its place, different everywhere."""

    def give(prompts):
        places = torch.arange(prompts.width, dtype=torch.float64)
        return torch.sin(prompts.tokens.double() * 1.7 + places * 0.9) * prompts.mask

    return give
