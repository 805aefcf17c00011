"""Which input tokens the prediction rests on: relevance that adds up, or states by how much it does not."""

# ruff: noqa: F401, I001 - the order of these lines is the one in which a reader meets the engines
from interp.attribution.recipes import RECIPES
from interp.attribution.integrated_gradients import integrated_gradients
from interp.attribution.cdt import cdt
from interp.attribution.cdt_sources import cdt_sources
from interp.attribution.decompx import decompx
from interp.attribution.alti_logit import alti_logit
from interp.attribution.rollout import rollout
from interp.attribution.chefer import chefer
from interp.attribution.norm_weighted_attention import norm_weighted_attention
from interp.attribution.attention_pagerank import attention_pagerank
from interp.core.engine import EngineSpec, records
from interp.core.signatures import public
from interp.kinds import Relevance

ENGINES = (*RECIPES, *records(globals()))
# What is compared with other methods; `lrp` is the family that its recipes are members of.
METHODS = tuple(spec for spec in ENGINES if issubclass(spec.result, Relevance) and spec.name != "lrp")
__dir__ = public(globals())


def __getattr__(name: str) -> EngineSpec:
    """A recipe: a row of the table rather than a name in this file."""
    for spec in RECIPES:
        if spec.name.replace("-", "_") == name:
            return spec
    raise AttributeError(f"module 'interp.attribution' has no attribute {name!r}")
