"""Which input tokens made the model say this: relevance that adds up, or says by how much it does not."""

from interp.attribution import alti_logit as _alti_logit
from interp.attribution import attnlrp as _attnlrp
from interp.attribution import cdt as _cdt
from interp.attribution import cdt_sources as _cdt_sources
from interp.attribution import chefer as _chefer
from interp.attribution import cp_lrp as _cp_lrp
from interp.attribution import decompx as _decompx
from interp.attribution import gim as _gim
from interp.attribution import gradient_x_input as _gradient_x_input
from interp.attribution import integrated_gradients as _integrated_gradients
from interp.attribution import lrp as _lrp
from interp.attribution import rollout as _rollout
from interp.core.engine import EngineSpec

ENGINES: tuple[EngineSpec, ...] = (
    _attnlrp.SPEC,
    _cp_lrp.SPEC,
    _gradient_x_input.SPEC,
    _integrated_gradients.SPEC,
    _gim.SPEC,
    _lrp.SPEC,
    _cdt.SPEC,
    _cdt_sources.SPEC,
    _decompx.SPEC,
    _alti_logit.SPEC,
    _rollout.SPEC,
    _chefer.SPEC,
)

attnlrp = _attnlrp.SPEC
cp_lrp = _cp_lrp.SPEC
gradient_x_input = _gradient_x_input.SPEC
integrated_gradients = _integrated_gradients.SPEC
gim = _gim.SPEC
lrp = _lrp.SPEC
cdt = _cdt.SPEC
cdt_sources = _cdt_sources.SPEC
decompx = _decompx.SPEC
alti_logit = _alti_logit.SPEC
rollout = _rollout.SPEC
chefer = _chefer.SPEC
