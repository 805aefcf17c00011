"""Which engines support a model; kept beside the cached models, so that it is known again without loading."""

import json
from contextlib import suppress
from importlib.metadata import version
from typing import Any

from interp.core.folders import write_whole
from interp.engines import engines_of_one_model
from interp.models.hooked import HookedModel
from interp.models.inventory import ModelFiles
from interp.models.sources import cache_folder

Support = dict[str, str]  # by engine: why it is refused, or failed; empty where it holds


def support(model: HookedModel) -> Support:
    """Why each engine is refused on this model; empty where it is supported."""
    return {spec.name: spec.obstacle(model) or "" for spec in engines_of_one_model().values()}


def remember(files: ModelFiles, held: Support) -> None:
    """Keep it for the next listing, as far as the cache can be written to."""
    path = _path(files)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps({"version": version("interp"), "support": held}).encode())


def remembered(files: ModelFiles) -> Support | None:
    """What was kept of these files by this version, with all engines that there are; None if nothing was."""
    try:
        about: Any = json.loads(_path(files).read_text())
        if about["version"] == version("interp") and about["support"].keys() == engines_of_one_model().keys():
            return {str(name): str(reason) for name, reason in about["support"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return None


def _path(files: ModelFiles) -> Any:
    return cache_folder("checks") / f"{files.fingerprint or 'none'}.json"
