"""Dictionaries that are at hand by name: those that come with the package, and those that were trained here."""

import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.errors import DictionaryError
from interp.core.paths import typed_path
from interp.dictionaries.sae.attached import Attached
from interp.dictionaries.sae.dictionary import Dictionary, trained_on
from interp.dictionaries.sae.loading import CONFIGS, load
from interp.models.hooked import HookedModel
from interp.models.sources import cache_folder

_PACKAGE_FOLDER = Path(__file__).parents[1] / "trained"


@dataclass(frozen=True)
class DictionaryOptions:
    """Which dictionary."""

    dictionary: str = Field(
        "",
        description="name, folder, or RELEASE:SAE_ID from sae-lens' list or a Hub repository; by default the first "
        "known for the model",
    )


def known(model: HookedModel) -> dict[str, Path]:
    """Folders of the dictionaries whose file says that they were trained on these weights (`trained_on`), by name."""
    folders: dict[str, Path] = {}
    for place in places():
        for config in sorted(place.glob(f"*/{CONFIGS[0]}")):
            metadata = _metadata(config)
            if metadata.get("weight_hash") and trained_on(model, metadata):
                folders.setdefault(config.parent.name, config.parent)
    return folders


def places() -> tuple[Path, Path]:
    """Where they are looked for: what comes with the package goes before what was trained here."""
    return _PACKAGE_FOLDER, cache_folder("dictionaries")


def attached(model: HookedModel, dictionary: str = "") -> Attached:
    """The dictionary of that name, folder or RELEASE:SAE_ID, at its site; where none is named, the first known.

    Raises: DictionaryError where there is none, or it does not belong to the model.
    """
    folders = known(model)
    if not dictionary and not folders:
        raise DictionaryError(
            f"no dictionary is known for {model.name}; train one with `interp train sae`, or give a folder or "
            "RELEASE:SAE_ID"
        )
    dictionary = dictionary or next(iter(folders))
    folder = folders.get(dictionary) or typed_path(dictionary)
    if folder.is_dir():
        return _load(folder, dictionary, _last_change(folder)).attach(model)
    release, _, sae_id = dictionary.partition(":")
    if release and sae_id:
        return _from_hub(release, sae_id).attach(model)
    there = ", ".join(folders) or "none"
    raise DictionaryError(
        f"there is no dictionary {dictionary!r}; those known for {model.name}: {there}; or give a folder or "
        "RELEASE:SAE_ID"
    )


@lru_cache(maxsize=4)
def _load(folder: Path, name: str, last_change: float) -> Dictionary:
    """A folder's dictionary as it was at `last_change`, under the name that the user gave."""
    return replace(load(folder), name=name)


@lru_cache(maxsize=4)
def _from_hub(release: str, sae_id: str) -> Dictionary:
    return replace(load(release, sae_id), name=f"{release}:{sae_id}")


def _last_change(folder: Path) -> float:
    """When the folder's files changed last; 0 where there are none."""
    there = filter(Path.exists, folder.glob("*"))  # a link may lead nowhere
    return max((path.stat().st_mtime for path in there), default=0.0)


def _metadata(config: Path) -> dict[str, Any]:
    """What a dictionary's file says of its training; nothing where it cannot be read."""
    try:
        return dict(json.loads(config.read_text())["metadata"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
