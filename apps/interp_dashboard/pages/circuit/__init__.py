"""Circuit: the sub-graph that does the job, how well it does it alone, and what each part of it is good for."""

from typing import Any

from dash import html

from interp_dashboard.legacy import QUESTION, slot
from interp_dashboard.page import Page
from interp_dashboard.pages.circuit import payloads
from interp_dashboard.pages.circuit.asks import circuit_of, whole, without_cuts
from interp_dashboard.pages.circuit.state import CircuitView
from interp_dashboard.shell.panels import choice, drawn, panel

FOUND = (*QUESTION, "circuit", "edges", "extraction")


def _graph(result: Any, view: CircuitView) -> str:
    """The circuit that the page shows, without what is cut and with its groups, as an attribution graph's JSON."""
    circuit = without_cuts(circuit_of(whole(result), view), view.cuts)
    for group in view.groups:
        name, _, nodes = group.partition(":")
        circuit = circuit.grouped(name, nodes.split("+"))
    return circuit.to_graph().to_json()


CIRCUIT = slot(
    "circuit", payloads.scores_question, payloads.drawing, (*FOUND, "layout", "cuts", "groups"),
    files={"graph": ("JSON", "json", _graph)},
)  # fmt: skip
RUNS = slot("circuit_runs", payloads.runs_question, payloads.runs, (*FOUND, "cuts"))
GROWTH = slot("circuit_growth", payloads.growth_question, payloads.growth, FOUND)
VERSUS = slot("circuit_versus", payloads.versus_question, payloads.versus, (*FOUND, "versus"))


def _layout() -> list[Any]:
    return [
        panel(
            CIRCUIT,
            "The circuit",
            "Each line is an edge: what a head or an MLP writes, read by a later one. Hover an edge for its effect, "
            "click it to cut or restore it; click a node to select it.",
            drawn("circuitsize", CIRCUIT),
            drawn("circuit", CIRCUIT),
            controls=[
                choice(CircuitView, "circuit", "How the circuit is found"),
                choice(CircuitView, "extraction", "Which edges are kept"),
                choice(CircuitView, "layout", "How it is laid out"),
            ],
            more="Layers run upwards from the embedding to the logits. Orange edges help the answer: cutting them "
            "lowers the metric; purple ones work against it. eap and eap-ig estimate what cutting an edge would do; "
            "flow-routes tells only how much of what is read an edge brings, which is no effect; acdc and cdt-circuit "
            "search. Edges that lead nowhere are pruned, so fewer may be left than were asked for. JSON is an "
            "attribution graph, without what is cut and with the groups, as Neuronpedia and circuit-tracer read it.",
        ),
        html.Div(
            [
                panel(
                    RUNS,
                    "Does it do the job alone?",
                    "The model with this circuit's edges only; all others carry the other run's values.",
                    drawn("circuitruns", RUNS),
                    exports=False,
                    more="Run anew for every change of the slider and every cut. More than 100 % means that what was "
                    "left out had been working against the answer. A faithful circuit need not be complete or minimal; "
                    "`interp run circuit-evidence` measures both, with intervals.",
                ),
                panel(
                    CIRCUIT,
                    "The selected node",
                    "What it reads and writes in this circuit. Cut it, or put it in a named group.",
                    drawn("circuitnode", CIRCUIT),
                    exports=False,
                ),
            ],
            className="columns",
        ),
        html.Div(
            [
                panel(
                    GROWTH,
                    "How many edges does it take?",
                    "Faithfulness as the circuit grows, beside random circuits of the same size.",
                    drawn("circuitgrowth", GROWTH),
                    exports=False,
                    more="The number of edges runs on a logarithmic scale. One prompt pair only: the intervals over "
                    "prompts are those of `interp run circuit-evidence`.",
                ),
                panel(
                    CIRCUIT,
                    "Compared with another circuit",
                    "What this circuit shares with another way of finding it, or with another behaviour.",
                    drawn("circuitversus", VERSUS),
                    exports=False,
                    controls=choice(CircuitView, "versus", "What to compare with"),
                ),
            ],
            className="columns",
        ),
    ]


PAGE = Page(
    "circuit", "Circuit", _layout, (CIRCUIT, RUNS, GROWTH, VERSUS), CircuitView,
    home=__file__, invitation="See the circuit",
)  # fmt: skip
