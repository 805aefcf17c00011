"""Flow: what every layer, part and token passes on, and what is lost without it."""

# ruff: noqa: F401, I001 - the order of these lines is the one in which a reader meets the engines
from interp.flow.layer_redundancy import layer_redundancy
from interp.flow.layer_ablation import layer_ablation
from interp.flow.depth.layer_maps import layer_maps
from interp.core.engine import records
from interp.core.signatures import public

ENGINES = records(globals())
__dir__ = public(globals())
