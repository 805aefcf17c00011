"""Small random dictionaries, saved by sae-lens itself, and small trainings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from dictionaries.trainings import Z, options, windows_of

from interp import dictionaries


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., tuple[Path, Any]]:
    """Writes a random dictionary: `saved("topk", 16, hook="blocks.0.attn.hook_z", k=3)` is its folder and itself."""
    import sae_lens
    from sae_lens.saes.sae import SAEMetadata

    def make(
        architecture: str = "standard", width: int = 16, *, features: int = 24, hook: str = "blocks.0.attn.hook_z",
        model: str = "llama", prepared: dict[str, Any] | None = None, weight_hash: str | None = None, **settings: Any,
    ) -> tuple[Path, Any]:  # fmt: skip
        sae_class, config_class = sae_lens.registry.get_sae_class(architecture)
        about = SAEMetadata(model_name=model, hook_name=hook, model_from_pretrained_kwargs=prepared or {})
        if weight_hash:
            about.weight_hash = weight_hash
        sae = sae_class(config_class(d_in=width, d_sae=features, metadata=about, **settings))
        random = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in sae.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=random) / width**0.5)
        folder = tmp_path / architecture
        sae.save_model(folder)
        return folder, sae

    return make


@pytest.fixture
def trained(tiny, tmp_path):
    """Train on the tiny Llama: `trained("name", features=8)` is the dictionary in that folder of the test's."""
    model = tiny("llama")

    def run(name="out", *, site=Z, windows=None, **given):
        windows = windows_of(model) if windows is None else windows
        return dictionaries.train(model, windows, site, out=tmp_path / name, options=options(**given))

    return run
