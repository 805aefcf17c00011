"""Which parts of the model carry the answer: patching, ablation, and circuits."""

from interp.circuits import ablation as _ablation
from interp.circuits import acdc as _acdc
from interp.circuits import activation_patching as _activation_patching
from interp.circuits import attribution_patching as _attribution_patching
from interp.circuits import cdt_circuit as _cdt_circuit
from interp.circuits import eap as _eap
from interp.circuits import eap_ig as _eap_ig
from interp.circuits import edge_pruning as _edge_pruning
from interp.circuits import evidence as _evidence
from interp.circuits import flow_routes as _flow_routes
from interp.circuits import path_patching as _path_patching
from interp.circuits.circuit_runs import circuit_ablation, circuit_growth
from interp.circuits.edge_executor import EdgeExecutor
from interp.core.engine import EngineSpec

ENGINES: tuple[EngineSpec, ...] = (
    _activation_patching.SPEC,
    _attribution_patching.SPEC,
    _path_patching.SPEC,
    _ablation.SPEC,
    _eap.SPEC,
    _eap_ig.SPEC,
    _flow_routes.SPEC,
    _cdt_circuit.SPEC,
    _acdc.SPEC,
    _edge_pruning.SPEC,
    _evidence.SPEC,
)

activation_patching = _activation_patching.SPEC
ablation = _ablation.SPEC
attribution_patching = _attribution_patching.SPEC
eap = _eap.SPEC
eap_ig = _eap_ig.SPEC
acdc = _acdc.SPEC
edge_pruning = _edge_pruning.SPEC
circuit_evidence = _evidence.SPEC
cdt_circuit = _cdt_circuit.SPEC
flow_routes = _flow_routes.SPEC
path_patching = _path_patching.SPEC

__all__ = [
    "ENGINES",
    "EdgeExecutor",
    "ablation",
    "acdc",
    "activation_patching",
    "attribution_patching",
    "cdt_circuit",
    "circuit_ablation",
    "circuit_evidence",
    "circuit_growth",
    "eap",
    "eap_ig",
    "edge_pruning",
    "flow_routes",
    "path_patching",
]
