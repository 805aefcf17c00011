"""A mechanistic interpretability workbench for transformer models.

    import interp
    model = interp.load("smollm2-135m")
    effects = interp.circuits.activation_patching(
        model,
        "When Mary and John went to the store, John gave a drink to",
        corrupted="When Mary and John went to the store, Mary gave a drink to",
        target=" Mary",
        contrast=" John",
    )
    interp.views.figure(effects)

Everything loads when it is first used, so that `import interp` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interp import (
        attribution,
        circuits,
        corpus,
        dictionaries,
        directions,
        evaluation,
        flow,
        geometry,
        groundtruth,
        kinds,
        knowledge,
        models,
        patterns,
        probing,
        readout,
        sandbox,
        tasks,
        views,
    )
    from interp.core.metric import Metric
    from interp.core.prompts import PromptPairs, Prompts
    from interp.core.result import Result
    from interp.engines import precomputed
    from interp.kinds import Circuit
    from interp.launch import dashboard
    from interp.models import Edit, HookedModel, Site, load

_HOMES = {
    "Circuit": "interp.kinds",
    "Edit": "interp.models",
    "HookedModel": "interp.models",
    "Metric": "interp.core.metric",
    "PromptPairs": "interp.core.prompts",
    "Prompts": "interp.core.prompts",
    "Result": "interp.core.result",
    "Site": "interp.models",
    "dashboard": "interp.launch",
    "load": "interp.models",
    "precomputed": "interp.engines",
}
_FAMILIES = (
    "attribution",
    "circuits",
    "corpus",
    "dictionaries",
    "directions",
    "evaluation",
    "flow",
    "geometry",
    "groundtruth",
    "kinds",
    "knowledge",
    "models",
    "patterns",
    "probing",
    "readout",
    "sandbox",
    "tasks",
    "views",
)

__all__ = [
    "Circuit",
    "Edit",
    "HookedModel",
    "Metric",
    "PromptPairs",
    "Prompts",
    "Result",
    "Site",
    "attribution",
    "circuits",
    "corpus",
    "dashboard",
    "dictionaries",
    "directions",
    "evaluation",
    "flow",
    "geometry",
    "groundtruth",
    "kinds",
    "knowledge",
    "load",
    "models",
    "patterns",
    "precomputed",
    "probing",
    "readout",
    "sandbox",
    "tasks",
    "views",
]


def __getattr__(name: str) -> Any:
    if name in _FAMILIES:
        return import_module(f"interp.{name}")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'interp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
