"""Readouts: what activations encode, without intervening."""

# ruff: noqa: F401, I001 - the order of these lines is the one in which a reader meets the engines
from interp.readout.logit_lens import logit_lens
from interp.readout.direct_logit_attribution import direct_logit_attribution
from interp.readout.neuron_attribution import neuron_attribution
from interp.readout.attention import attention
from interp.readout.head_scores import head_scores
from interp.readout.query_key import query_key
from interp.readout.expert_routing import expert_routing
from interp.core.engine import records
from interp.core.signatures import public

ENGINES = records(globals())
__dir__ = public(globals())
