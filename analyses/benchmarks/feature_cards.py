"""Feature cards' row: a harvest for 4,096 features, and the cards from it, against the plain model's forward."""

import tempfile
from collections.abc import Iterator

import torch

from analyses.benchmarks.geometry import forward
from analyses.benchmarks.timing import Row, ratio
from analyses.benchmarks.yardsticks import plain_model
from interp.core.prompts import Prompts
from interp.corpus import Windows
from interp.dictionaries import Attached, harvest
from interp.dictionaries.cards.writing import write_cards
from interp.models import HookedModel
from interp.models.sites import Site

FEATURES, ACTIVE = 4096, 20  # and how many of them are active on a token
WINDOWS, LENGTH, LAYER = 64, 256, 18


def rows(model: HookedModel) -> Iterator[Row]:
    """The row of this file, on the default model."""
    windows = Windows.cut(model, windows=WINDOWS, length=LENGTH)
    dictionary, body = random_dictionary(model, windows[:4]), plain_model(model)

    def cards() -> None:
        with tempfile.TemporaryDirectory() as folder:
            write_cards(dictionary, harvest(dictionary, windows, folder))

    yield ratio(
        f"feature-cards of {FEATURES:,} features, {WINDOWS} windows × {LENGTH} tokens, against a forward",
        cards,
        lambda: forward(body, windows),
        target=1.5,
        repeats=3,
    )


def random_dictionary(model: HookedModel, windows: Prompts) -> Attached:
    """Random directions of attention outputs, with thresholds that few of them pass on a token."""
    from sae_lens import JumpReLUSAE, JumpReLUSAEConfig

    width = model.dims.heads * model.dims.d_head
    sae = JumpReLUSAE(JumpReLUSAEConfig(d_in=width, d_sae=FEATURES, device=str(model.device)))
    random = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn(FEATURES, width, generator=random), dim=-1)
    with torch.no_grad():
        sae.W_dec.copy_(directions)
        sae.W_enc.copy_(directions.T)
        sae.threshold.zero_()
        dictionary = Attached(model, Site("z", LAYER), sae.eval().requires_grad_(False), "random")
        strengths = dictionary.features(windows).flatten(0, 1)
        sae.threshold.copy_(strengths.quantile(1 - ACTIVE / FEATURES, dim=0))
    return dictionary
