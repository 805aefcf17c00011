"""Which input tokens made the model say this: relevance that adds up, or says by how much it does not."""

from interp.attribution import rollout as _rollout
from interp.core.engine import EngineSpec

ENGINES: tuple[EngineSpec, ...] = (_rollout.SPEC,)

rollout = _rollout.SPEC
