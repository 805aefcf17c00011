"""Telling where a model's activations stop being finite numbers."""

from torch import Tensor

from interp.core.errors import EngineError
from interp.core.prompts import Prompts
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import SITES, Site

# What attention may not see is −inf by design, and the divisor of a norm is finite where its input is.
_NAMES = [name for name in SITES if name != "scores" and not name.endswith("_scale")]


def require_finite(model: HookedModel, prompts: Prompts, values: Tensor) -> None:
    """Let finite `values`, computed from a run on `prompts`, pass.

    Raises: EngineError that names the first site of the model, in the order of computation, with a NaN or an infinity.
    """
    if values.isfinite().all():
        return
    faults: list[tuple[Site, int]] = []

    def watch(site: Site) -> Edit:
        def look(value: Tensor) -> None:
            finite = value.isfinite().flatten(1).all(1)
            if not faults and not finite.all():
                faults.append((site, int(finite.long().argmin())))

        return Edit.through(site, look)

    sites = [site for name in _NAMES if name != "head_out" and model.has(name) for site in model.sites(name)]
    model.run(prompts, edits=[watch(site) for site in sites if model.edit_obstacle(site) is None])
    site, row = faults[0] if faults else (None, 0)
    where = "all activations are finite, only the result is not" if site is None else f"first NaN or infinity at {site}"
    raise EngineError(f"{model.name} on {prompts.texts[row]!r}: {where}; use dtype float32, or check the weights")
