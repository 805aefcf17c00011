"""What a page costs when it is opened: passes and decoded rows are counted, not timed."""

from collections import Counter

import pytest
import torch
from delivering import ASKED, answers, checked
from interp_dashboard.state import View
from interp_dashboard.workspace import Workspace, shown_on

from interp.models import HookedModel


@pytest.fixture
def work(model: HookedModel, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Prompts that are run, and rows that are decoded outside of a run."""
    counts: Counter[str] = Counter()
    forward, unembed = HookedModel._forward, HookedModel.unembed

    def run(self: HookedModel, prompts, *more) -> torch.Tensor:
        counts["prompts"] += len(prompts)
        return forward(self, prompts, *more)

    def decode(self: HookedModel, rows: torch.Tensor) -> torch.Tensor:
        counts["rows"] += rows[..., 0].numel()
        return unembed(self, rows)

    monkeypatch.setattr(HookedModel, "_forward", run)
    monkeypatch.setattr(HookedModel, "unembed", decode)
    return counts


@pytest.mark.parametrize("page", ["overview", "lens", "heads", "ablate", "engines"])
def test_a_first_view_takes_three_times_the_passes_that_it_needs_at_most(
    page: str, workspace: Workspace, model: HookedModel, work: Counter[str]
) -> None:
    """Each head is patched once, on every page: the inspector says its effect. The rest needs both prompts once,
    and twice where a second engine does: the neurons on Heads, patched MLPs on Ablate."""
    view = checked(workspace, View(**ASKED))
    work.clear()
    _, status = answers(workspace, view, shown_on(page))
    assert not status["errors"]
    patched = model.dims.layers * (model.dims.heads + (page == "ablate"))  # which patches the MLPs too
    assert work["prompts"] <= patched + 3 * (4 if page in ("heads", "ablate") else 2)


def test_the_overview_decodes_one_position_of_each_layer(
    workspace: Workspace, model: HookedModel, work: Counter[str]
) -> None:
    view = checked(workspace, View(**ASKED))
    work.clear()
    answers(workspace, view, shown_on("overview"))
    assert work["rows"] == model.dims.layers
