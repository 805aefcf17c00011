"""What the Circuit page asks for: a circuit, its answer on its own, its growth, and another circuit to compare with."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from interp import circuits, tasks
from interp.circuits import EdgeExecutor
from interp.kinds import Circuit
from interp.models.hooked import HookedModel
from interp_dashboard.asking import Ask, Call, Deferred
from interp_dashboard.pages.circuit.state import CIRCUITS, SEARCHES, TASK, CircuitView, cut_arguments

BOUNDED: dict[str, dict[str, Any]] = {
    "acdc": {"prefilter": 400, "resume": True}
}  # a search of a page that would run for hours
PASSES = {"eap": 4, "eap-ig": 20, "flow-routes": 2, "cdt-circuit": 300, "acdc": 1500}  # about how many forward passes
TASK_PROMPTS = 8
TOP = 6  # tokens listed


def _options(name: str, view: CircuitView) -> dict[str, Any]:
    """What the page asks of a method beyond its defaults."""
    fields = CIRCUITS[name].options.__dataclass_fields__
    return ({"how": view.how} if "how" in fields else {}) | BOUNDED.get(name, {})


def _finder(name: str, prompts: int = 1, **more: Any) -> Ask[CircuitView]:
    return Ask(
        CIRCUITS[name],
        lambda model, view: view.comparison | _options(name, view) | more,
        f"finding a circuit by {name}",
        lambda model, tokens: prompts * PASSES[name],
    )


def _of_task(name: str) -> Ask[CircuitView]:
    """The same method on a task's prompts."""

    def arguments(model: HookedModel, view: CircuitView) -> dict[str, Any]:
        task = view.versus.removeprefix(TASK)
        python = f"interp.tasks.{task.replace('-', '_')}(model, n={TASK_PROMPTS})"
        return {"prompts": Deferred(python, lambda model: tasks.find(task)(model, n=TASK_PROMPTS))} | BOUNDED.get(
            name, {}
        )

    return Ask(
        CIRCUITS[name],
        arguments,
        f"finding a circuit by {name} on a task",
        lambda model, tokens: TASK_PROMPTS * PASSES[name],
    )


FOUND = {name: _finder(name) for name in CIRCUITS}
PLACED = {name: _finder(name, 2, by_position=True) for name in CIRCUITS if name not in SEARCHES}
OF_TASK = {name: _of_task(name) for name in CIRCUITS}
EXECUTOR: Ask[CircuitView] = Ask(
    EdgeExecutor.of, lambda model, view: view.comparison | {"how": view.how}, "cutting edges"
)


def _circuit(model: HookedModel, view: CircuitView, cuts: tuple[str, ...] = ()) -> Call:
    circuit = Call(Circuit.of, {"result": FOUND[view.circuit].call(model, view)} | view.size, "extracting the circuit")
    return Call(Circuit.without, {"self": circuit} | cut_arguments(cuts), "cutting") if cuts else circuit


def _run(model: HookedModel, view: CircuitView, cuts: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"executor": EXECUTOR.call(model, view), "circuit": _circuit(model, view, cuts), "top": TOP}


def _growth(model: HookedModel, view: CircuitView) -> dict[str, Any]:
    arguments = {"executor": EXECUTOR.call(model, view), "scores": FOUND[view.circuit].call(model, view)}
    return arguments | {name: value for name, value in view.size.items() if name == "extraction"}


RUN: Ask[CircuitView] = Ask(circuits.circuit_ablation, _run, "running the circuit")
RUN_WITH_CUTS: Ask[CircuitView] = Ask(
    circuits.circuit_ablation, lambda model, view: _run(model, view, view.cuts), "running the circuit with the cuts"
)
# 27 circuits, each of whose runs costs about three passes: every receiver reads an input of its own.
GROWTH = Ask(circuits.circuit_growth, _growth, "running circuits", lambda model, tokens: 3 * 27)


def scores(view: CircuitView) -> Ask[CircuitView]:
    """What finds the circuit that is drawn, position by position where that is how it is laid out."""
    return (PLACED if view.layout == "position" and view.circuit in PLACED else FOUND)[view.circuit]


def runs(view: CircuitView) -> Mapping[str, Ask[CircuitView]]:
    """The circuit alone, and without what is cut."""
    return {"circuit": RUN} | ({"with cuts": RUN_WITH_CUTS} if view.cuts else {})


def growth(view: CircuitView) -> Ask[CircuitView] | None:
    """The circuit at growing sizes; a search finds one size only."""
    return None if view.circuit in SEARCHES else GROWTH


def comparison(view: CircuitView) -> Mapping[str, Ask[CircuitView]] | None:
    """This circuit and the other one, by what they are called."""
    other = view.other
    if other is None:
        return None
    ask = OF_TASK[view.circuit] if view.versus.startswith(TASK) else _ask_of(other)
    return {"this circuit": FOUND[view.circuit], view.other_name: ask}


def _ask_of(other: CircuitView) -> Ask[CircuitView]:
    """What finds the circuit of another view."""
    ask = FOUND[other.circuit]
    return replace(ask, arguments=lambda model, view: ask.arguments(model, other))
