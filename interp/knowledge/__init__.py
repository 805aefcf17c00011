"""Knowledge: what MLPs and weights store, where a fact is read, and what changes when it is edited."""

# ruff: noqa: F401, I001 - the order of these lines is the one in which a reader meets the engines
from interp.knowledge.mlp_memory import mlp_memory
from interp.knowledge.causal_tracing import causal_tracing
from interp.knowledge.rank_one_edit import rank_one_edit
from interp.knowledge.bilinear_reading import bilinear_reading
from interp.knowledge.loss_curvature import loss_curvature
from interp.core.engine import records
from interp.core.signatures import public

ENGINES = records(globals())
__dir__ = public(globals())
