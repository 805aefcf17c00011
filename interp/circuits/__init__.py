"""Which parts of the model carry the answer: patching, ablation, and circuits."""

from interp.circuits import ablation as _ablation
from interp.circuits import activation_patching as _activation_patching
from interp.circuits import eap as _eap
from interp.circuits import eap_ig as _eap_ig
from interp.circuits.edge_executor import EdgeExecutor
from interp.core.engine import EngineSpec

ENGINES: tuple[EngineSpec, ...] = (_activation_patching.SPEC, _ablation.SPEC, _eap.SPEC, _eap_ig.SPEC)

activation_patching = _activation_patching.SPEC
ablation = _ablation.SPEC
eap = _eap.SPEC
eap_ig = _eap_ig.SPEC

__all__ = ["ENGINES", "EdgeExecutor", "ablation", "activation_patching", "eap", "eap_ig"]
