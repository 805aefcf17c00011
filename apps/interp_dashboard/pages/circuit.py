"""Circuit: the sub-graph that does the job, how well it does it alone, and what each part of it is good for."""

from typing import Any

from dash import html

from interp.tasks import TASKS
from interp_dashboard.circuits import CIRCUITS
from interp_dashboard.components import EXPORTS, choice, drawn, panel
from interp_dashboard.pages.page import Page
from interp_dashboard.state import EXTRACTIONS, LAYOUTS, View


def _layout() -> list[Any]:
    methods = [(name, name) for name in CIRCUITS]
    others = [("", "nothing"), *methods, *((f"task {task.name}", f"{task.name} prompts") for task in TASKS)]
    return [
        panel(
            "The circuit",
            "Each line is an edge: what a head or an MLP writes, read by a later one. Hover an edge for its effect, "
            "click it to cut or restore it; click a node to select it.",
            drawn("circuitsize", slot="circuit"),
            drawn("circuit", slot="circuit"),
            slot="circuit",
            files=(*EXPORTS, ("graph", "JSON")),
            controls=html.Div(
                [
                    choice("circuit", methods, "How the circuit is found"),
                    choice("extraction", list(EXTRACTIONS.items()), "Which edges are kept"),
                    choice("layout", list(LAYOUTS.items()), "How it is laid out"),
                ],
                className="controls",
            ),
            more="Layers run upwards from the embedding to the logits. Orange edges help the answer: cutting them "
            "lowers the metric; purple ones work against it. eap and eap-ig estimate what cutting an edge would do; "
            "flow-routes tells only how much of what is read an edge brings, which is no effect; acdc and cdt-circuit "
            "search. Edges that lead nowhere are pruned, so fewer may be left than were asked for. JSON is an "
            "attribution graph, without what is cut and with the groups, as Neuronpedia and circuit-tracer read it.",
        ),
        html.Div(
            [
                panel(
                    "Does it do the job alone?",
                    "The model with this circuit's edges only; all others carry the other run's values.",
                    drawn("circuitruns", slot="circuit_runs"),
                    slot="circuit_runs",
                    exports=False,
                    more="Run anew for every change of the slider and every cut. More than 100 % means that what was "
                    "left out had been working against the answer. A faithful circuit need not be complete or minimal; "
                    "`interp run circuit-evidence` measures both, with intervals.",
                ),
                panel(
                    "The selected node",
                    "What it reads and writes in this circuit. Cut it, or put it in a named group.",
                    drawn("circuitnode", slot="circuit"),
                    slot="circuit",
                    exports=False,
                ),
            ],
            className="columns",
        ),
        html.Div(
            [
                panel(
                    "How many edges does it take?",
                    "Faithfulness as the circuit grows, beside random circuits of the same size.",
                    drawn("circuitgrowth", slot="circuit_growth"),
                    slot="circuit_growth",
                    exports=False,
                    more="The number of edges runs on a logarithmic scale. One prompt pair only: the intervals over "
                    "prompts are those of `interp run circuit-evidence`.",
                ),
                panel(
                    "Compared with another circuit",
                    "What this circuit shares with another way of finding it, or with another behaviour.",
                    drawn("circuitversus", slot="circuit_versus"),
                    slot="circuit",
                    exports=False,
                    controls=choice("versus", others, "What to compare with"),
                ),
            ],
            className="columns",
        ),
    ]


def _slots(view: View) -> tuple[str, ...]:
    return ("answer", "circuit", "circuit_runs", "circuit_growth", "circuit_versus")


PAGE = Page("circuit", "Circuit", _layout, _slots)
