"""Which parts of the model carry the answer: patching and ablation."""

from interp.circuits import ablation as _ablation
from interp.circuits import activation_patching as _activation_patching
from interp.core.engine import EngineSpec

ENGINES: tuple[EngineSpec, ...] = (_activation_patching.SPEC, _ablation.SPEC)

activation_patching = _activation_patching.SPEC
ablation = _ablation.SPEC
