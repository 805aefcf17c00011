"""Tiny checkpoints on disk, made once for all workers, and the real default model, loaded once a session."""

import functools
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import torch
from configurations import family_of
from filelock import FileLock
from tiny import write_dictionary, write_family
from transformers.utils import logging as transformers_logging

import interp
from interp.models import HookedModel

# A busy machine does not fail a test: time is limited by the processor seconds below.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

transformers_logging.disable_progress_bar()

# Processor seconds, its child processes' too, of a test that is not marked slow. A busy machine adds a half to them.
LONGEST = 15.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser's tests, which wait more than they work, come first: the others run beside them."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Workers take whole modules, for the models and oracles that a module shares; two share those of the browser."""
    from xdist.scheduler import LoadScopeScheduling

    browser: dict[str, int] = {}  # its modules, numbered as they are met

    class ByModule(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            module = nodeid.partition("::")[0]
            if not module.startswith("tests/end_to_end/"):
                return module
            return f"browser {browser.setdefault(module, len(browser)) % 2}"

    return ByModule(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A test that takes long is marked so; a browser's waits for a dashboard that works for others too."""
    before = sum(os.times()[:4])
    yield
    seconds = sum(os.times()[:4]) - before
    if seconds > LONGEST and not any(map(item.get_closest_marker, ("slow", "browser"))):
        pytest.fail(f"{seconds:.0f} s of processor time; make it quicker, or mark it slow", pytrace=False)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this session's, the same for all workers."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own


@pytest.fixture(scope="session")
def checkpoint(shared: Path) -> Callable[[str], Path]:
    """Folder of a family's tiny checkpoint, which the first worker to want it writes."""

    @functools.cache
    def folder(family: str) -> Path:
        with FileLock(shared / f"{family}.lock"):
            path = shared / "checkpoints" / family
            return path if path.exists() else write_family(family_of(family), path)

    return folder


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
    """Searches and directions are saved in a folder of the test's own; dictionaries are those of the tests."""
    monkeypatch.setattr("interp.models.directions.cache_folder", lambda kind: tmp_path / kind)
    monkeypatch.setattr("interp.circuits.search.journal.cache_folder", lambda kind: tmp_path / kind)
    monkeypatch.setattr("interp.dictionaries.sae.catalogue.cache_folder", lambda kind: cache_home / kind)
    monkeypatch.setattr("interp.dictionaries.cards.harvesting.cache_folder", lambda kind: tmp_path / kind)
