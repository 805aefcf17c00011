"""Which parts of the model carry the answer: patching, ablation, and circuits."""

# ruff: noqa: F401, I001 - the order of these lines is the one in which a reader meets the engines
from interp.circuits.activation_patching import activation_patching
from interp.circuits.attribution_patching import attribution_patching
from interp.circuits.relp import relp
from interp.circuits.path_patching import path_patching
from interp.circuits.edge_patching import edge_patching
from interp.circuits.ablation import ablation
from interp.circuits.eap import eap
from interp.circuits.eap_ig import eap_ig
from interp.circuits.relp_edges import relp_edges
from interp.circuits.edge_ensemble import edge_ensemble
from interp.circuits.flow_routes import flow_routes
from interp.circuits.cdt_circuit import cdt_circuit
from interp.circuits.acdc import acdc
from interp.circuits.edge_pruning import edge_pruning
from interp.circuits.subnetwork_probing import subnetwork_probing
from interp.circuits.evidence import circuit_evidence
from interp.circuits.circuit_runs import circuit_ablation, circuit_growth
from interp.circuits.interventions.edge_executor import EdgeExecutor
from interp.core.engine import records
from interp.core.signatures import public

ENGINES = records(globals())
__dir__ = public(globals())
