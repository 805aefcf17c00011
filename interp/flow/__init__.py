"""Flow: what every layer, part and token passes on, and what is lost without it."""

# ruff: noqa: F401, I001 - the order of these lines is the one in which a reader meets the engines
from interp.flow.layer_redundancy import layer_redundancy
from interp.flow.layer_ablation import layer_ablation
from interp.flow.depth.layer_maps import layer_maps
from interp.flow.layer_removal import layer_removal
from interp.flow.block_replacement import block_replacement
from interp.flow.token_sensitivity import token_sensitivity
from interp.flow.representational_collapse import representational_collapse
from interp.flow.path_lengths import path_lengths
from interp.flow.information_pathways import information_pathways
from interp.flow.segment_fusion import segment_fusion
from interp.core.engine import records
from interp.core.signatures import public

ENGINES = records(globals())
__dir__ = public(globals())
