"""Tiny checkpoints on disk, made once a session, and the real default model, loaded once a session."""

import functools
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny import write_checkpoint, write_dictionary
from transformers.utils import logging as transformers_logging

import interp
from interp.models import HookedModel

transformers_logging.disable_progress_bar()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of a family's tiny checkpoint."""
    return functools.cache(lambda family: write_checkpoint(family, tmp_path_factory.mktemp("checkpoints") / family))


@pytest.fixture(scope="session")
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests' own cache folder, where the tiny models' dictionaries are."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def tiny(checkpoint: Callable[[str], Path], cache_home: Path) -> Callable[..., HookedModel]:
    """A family's tiny model, for which a dictionary is known: `tiny("llama")`, `tiny("gpt2", "float64")`.

    There is one dictionary for each family, trained in float32.
    """

    @functools.cache
    def make(family: str, dtype: str = "float32") -> HookedModel:
        model = interp.load(str(checkpoint(family)), dtype=dtype)
        if dtype == "float32":
            write_dictionary(model, cache_home / "dictionaries" / f"{family}-z1")
        else:
            make(family)
        return model

    return make


@pytest.fixture(scope="session")
def real_model() -> HookedModel:
    """The default model, one load for the whole session."""
    torch.manual_seed(0)
    return interp.load()


@pytest.fixture(autouse=True)
def _caches_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache_home: Path) -> None:
    """Searches write their journals to a folder of the test's own; dictionaries are those of the tests."""
    monkeypatch.setattr("interp.circuits.journal.cache_folder", lambda kind: tmp_path / kind)
    monkeypatch.setattr("interp.dictionaries.catalogue.cache_folder", lambda kind: cache_home / kind)
    monkeypatch.setattr("interp.dictionaries.cards.harvesting.cache_folder", lambda kind: tmp_path / kind)
