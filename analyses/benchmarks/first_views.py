"""The cost of each page's first view, in forward passes over the same prompt."""

from collections.abc import Iterator
from functools import partial

import torch
from interp_dashboard.pages import PAGES
from interp_dashboard.state import View, plain
from interp_dashboard.workspace import MANY_TOKENS, Workspace

from analyses.benchmarks.dashboard import prompt_of
from analyses.benchmarks.timing import Row, ratio
from interp.models import HookedModel

TOKENS = (14, 398)
REPEATS = 3
ANSWERS = 2  # passes for the answer and the attention, on every page
PATCHED = 0.113  # passes for each head that is patched: the median of the row on activation patching
# What a page's own panels need beside these: a backward pass counts two, a run of a circuit's edges three.
OWN = {"lens": 1, "attribution": 2 * 3, "circuit": 5 * 3, "features": 5 * 3}
GROWTH = 27 * 3  # of the circuit page, where it does not wait for a click


def open_page(model: HookedModel, page: str, clean: str) -> None:
    """Everything that a page shows for a new question before any click, with an empty cache."""
    workspace = Workspace(model)
    try:
        checked = workspace.check(
            plain(View(clean=clean, corrupted="", answer=" the", contrast="", layer=1, head=1)) | {"page": page}
        )
        have: dict[str, str] = {}
        pending = True
        while pending:
            delivery = workspace.deliver(checked.values, tab="bench", have=have)
            have |= {name: payload["key"] for name, payload in delivery.payloads.items()}
            pending = delivery.status["pending"]
    finally:
        workspace.close()


def rows(model: HookedModel) -> Iterator[Row]:
    """Every row of this file, as it is measured."""
    for tokens in TOKENS:
        clean = prompt_of(model, tokens)
        for page in PAGES:
            ours = partial(open_page, model, page.name, clean)
            name = f"first view of {page.name}, T = {tokens}, against a forward pass"
            # Every page patches each head of a short prompt; of a long one that waits for a click.
            heads = model.dims.layers * model.dims.heads
            patching = PATCHED * heads if heads * tokens <= MANY_TOKENS else 0
            growth = GROWTH if page.name == "circuit" and GROWTH * tokens <= MANY_TOKENS else 0
            passes = ANSWERS + OWN.get(page.name, 0) + growth + patching
            _pass(model, clean)
            yield ratio(name, ours, partial(_pass, model, clean), target=3 * passes, repeats=REPEATS, warm_up=False)


def _pass(model: HookedModel, clean: str) -> None:
    with torch.no_grad():
        model.logits(clean)
