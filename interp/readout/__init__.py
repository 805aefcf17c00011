"""Readouts: what the model's insides say, without changing anything."""

from interp.core.engine import EngineSpec
from interp.readout import attention as _attention
from interp.readout import direct_logit_attribution as _direct_logit_attribution
from interp.readout import head_scores as _head_scores
from interp.readout import logit_lens as _logit_lens
from interp.readout import query_key as _query_key

logit_lens = _logit_lens.SPEC
direct_logit_attribution = _direct_logit_attribution.SPEC
attention = _attention.SPEC
head_scores = _head_scores.SPEC
query_key = _query_key.SPEC

ENGINES: tuple[EngineSpec, ...] = (logit_lens, direct_logit_attribution, attention, head_scores, query_key)
