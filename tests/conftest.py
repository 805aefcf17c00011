"""Tiny checkpoints on disk, made once a session, and the real default model, loaded once a session."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from tiny import write_checkpoint
from transformers.utils import logging as transformers_logging

import interp
from interp.models import HookedModel

transformers_logging.disable_progress_bar()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of a family's tiny checkpoint."""
    return cache(lambda family: write_checkpoint(family, tmp_path_factory.mktemp("checkpoints") / family))


@pytest.fixture(scope="session")
def tiny(checkpoint: Callable[[str], Path]) -> Callable[..., HookedModel]:
    """A family's tiny model: `tiny("llama")`, `tiny("gpt2", "float64")`."""

    @cache
    def make(family: str, dtype: str = "float32") -> HookedModel:
        return interp.load(str(checkpoint(family)), dtype=dtype)

    return make


@pytest.fixture(scope="session")
def real_model() -> HookedModel:
    """The default model, one load for the whole session."""
    torch.manual_seed(0)
    return interp.load()


@pytest.fixture(autouse=True)
def _journals_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Searches write their journals to a folder of the test's own."""
    monkeypatch.setattr("interp.circuits.journal.cache_folder", lambda kind: tmp_path / kind)
