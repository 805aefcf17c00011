"""How well a student has its teacher's circuit: on held-out pairs, and with a wrong correspondence beside the right."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.progress import track
from interp.groundtruth.siit.exchanges import Exchanges
from interp.groundtruth.siit.inputs import Pairs
from interp.groundtruth.siit.interchange import Run, run
from interp.groundtruth.siit.teacher import Teacher, lead
from interp.models.compiled import CompiledForCausalLM

LEAST_ACCURACY, MOST_OUTSIDE, LEAST_INSIDE = 0.99, 0.01, 0.05  # what a student has to reach


def missed(report: dict[str, Any]) -> list[str]:
    """What a student falls short of."""
    scores = ("accuracy", "interchange_accuracy", "interchange_accuracy_of_edges", "strict_accuracy")
    parts = [(kind, report[kind]) for kind in ("edges", "nodes")]
    return [
        *(score for score in scores if report[score] < LEAST_ACCURACY),
        *(f"worst outside, {kind}" for kind, of in parts if of["worst_outside"]["answers_changed"] > MOST_OUTSIDE),
        *(f"least inside, {kind}" for kind, of in parts if of["least_inside"]["answers_changed"] < LEAST_INSIDE),
    ]


@dataclass(frozen=True, eq=False)
class Scoring:
    """A student beside its teacher on pairs of inputs. All shares are of the positions where both have an output."""

    student: CompiledForCausalLM
    teacher: Teacher
    exchanges: Exchanges
    pairs: Pairs
    least_lead: float

    @torch.no_grad()
    def report(self) -> dict[str, Any]:
        """Accuracies and effects, by name."""
        exchanges, nodes, edges = self.exchanges, self.exchanges.nodes, self.exchanges.circuit.nonzero()
        matches = (self._clean_student.answers == self._clean_teacher.answers)[self.pairs.asked]
        right = [self._interchange(exchanges.of_nodes([node]), exchanges.of_nodes([node])) for node in nodes]
        wrong = [
            self._interchange(exchanges.of_nodes([node]), exchanges.of_nodes([self._mistaken(node)])) for node in nodes
        ]
        by_edge = [self._interchange(one := exchanges.of_edges(edge[None]), one) for edge in edges]
        outside = self._changed(exchanges.all_outside(1))
        strict = (self._student(exchanges.all_outside(1)).answers == self._clean_teacher.answers)[self.pairs.asked]
        return {
            "accuracy": _share(matches),
            "interchange_accuracy": _mean(right, "all"),
            "interchange_accuracy_of_edges": _mean(by_edge, "all"),
            "strict_accuracy": _share(strict),
            "answers_changed_outside": outside,
            "where_the_teacher_changes": {
                "interchange_accuracy": _mean(right, "changed"),
                "with_a_wrong_correspondence": _mean(wrong, "changed"),
            },
            "edges": self._effects(list(self._edges())),
            "nodes": self._effects(list(self._nodes())),
        }

    def _edges(self) -> Iterator[tuple[str, bool, Tensor]]:
        graph = self.exchanges.graph
        edges = self.exchanges.present.nonzero()
        for edge in track(edges, len(edges), "effects of edges"):
            receiver, sender = edge.tolist()
            name = f"{graph.senders[sender]} {graph.receivers[receiver]}"
            yield name, bool(self.exchanges.circuit[receiver, sender]), self.exchanges.of_edges(edge[None])

    def _nodes(self) -> Iterator[tuple[str, bool, Tensor]]:
        for sender, name in enumerate(self.exchanges.graph.senders[1:], 1):
            yield name, sender in self.exchanges.nodes, self.exchanges.of_nodes([sender])

    def _effects(self, parts: list[tuple[str, bool, Tensor]]) -> dict[str, Any]:
        """The largest effect of a part outside the circuit, and the smallest of one inside."""
        effects = [(self._changed(exchanged), name, inside, exchanged) for name, inside, exchanged in parts]
        worst = max((each for each in effects if not each[2]), key=lambda each: each[0])
        least = min((each for each in effects if each[2]), key=lambda each: each[0])
        changed = (self._teacher(least[3]).answers != self._clean_teacher.answers)[self.pairs.asked]
        return {
            "worst_outside": {"name": worst[1], "answers_changed": worst[0]},
            "least_inside": {"name": least[1], "answers_changed": least[0], "of_the_teacher": _share(changed)},
        }

    def _interchange(self, of_teacher: Tensor, of_student: Tensor) -> dict[str, float]:
        """The share of the teacher's answers that the student gives, and that of those which the exchange changed."""
        taught = self._teacher(of_teacher)
        asked = self.pairs.asked & (lead(taught.logits) > self.least_lead)
        matches = self._student(of_student).answers == taught.answers
        changed = asked & (taught.answers != self._clean_teacher.answers)
        return {"all": _share(matches[asked]), "changed": _share(matches[changed])}

    def _mistaken(self, node: int) -> int:
        """The next sender outside the circuit: a wrong correspondence."""
        others = [
            sender for sender in range(1, len(self.exchanges.graph.senders)) if sender not in self.exchanges.nodes
        ]
        return next((sender for sender in others if sender > node), others[0])

    def _changed(self, exchanged: Tensor) -> float:
        """The share of the student's answers that an exchange changes."""
        return _share((self._student(exchanged).answers != self._clean_student.answers)[self.pairs.asked])

    def _student(self, exchanged: Float[Tensor, "1 receiver sender"]) -> Run:
        rows = exchanged.expand(len(self.pairs.base), -1, -1)
        return run(self.student, self.pairs.base, self._source_of_student, rows)

    def _teacher(self, exchanged: Float[Tensor, "1 receiver sender"]) -> Run:
        rows = exchanged.expand(len(self.pairs.base), -1, -1)
        return self.teacher.run(self.pairs.base, self._source_of_teacher, rows)

    @cached_property
    def _clean_student(self) -> Run:
        return run(self.student, self.pairs.base)

    @cached_property
    def _source_of_student(self) -> Run:
        return run(self.student, self.pairs.source)

    @cached_property
    def _clean_teacher(self) -> Run:
        return self.teacher.run(self.pairs.base)

    @cached_property
    def _source_of_teacher(self) -> Run:
        return self.teacher.run(self.pairs.source)


def _share(values: Tensor) -> float:
    return float(values.float().mean()) if len(values) else float("nan")


def _mean(values: list[dict[str, float]], name: str) -> float:
    return sum(each[name] for each in values) / len(values)
