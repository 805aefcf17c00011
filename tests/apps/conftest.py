"""The workspace behind the pages, over the tiny Llama."""

from collections.abc import Callable, Iterator

import pytest
from interp_dashboard.workspace import Workspace

from interp.models import HookedModel


@pytest.fixture
def model(tiny: Callable[..., HookedModel]) -> HookedModel:
    return tiny("llama")


@pytest.fixture
def workspace(model: HookedModel) -> Iterator[Workspace]:
    made = Workspace(model)
    yield made
    made.close()
