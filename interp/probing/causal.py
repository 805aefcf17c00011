"""The causal column: what the model makes of states from which a label was taken, or to which it was added."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.labelled import LabelledPrompts
from interp.core.metric import Metric
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.corpus.harvest import States
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.probing.columns import Column
from interp.probing.erasing import Affine, addition, leace, projection, without_span
from interp.probing.fitting import fit

Change = Literal["leace", "projection", "add", "none"]
_CHANGES: dict[str, Callable[..., Affine]] = {"leace": leace, "projection": projection, "add": addition}


@dataclass(frozen=True)
class Consequences:
    """Of one change at one layer: what the last stream's probe says, and for every item divergences and the metric."""

    accuracy: float
    divergence: Float[np.ndarray, "row"]
    random: Float[np.ndarray, "row"]
    effect: Float[np.ndarray, "row"] | None


class Tested:
    """Some items of the first fold, and the model's runs on them; changes and probes are fitted on the other folds."""

    def __init__(
        self, model: HookedModel, prompts: LabelledPrompts, column: Column, metric: Metric | None, most: int, seed: int
    ) -> None:
        self.model, self.column = model, column
        self.train, test = column.split.folds[0]
        self.rng = np.random.default_rng(seed)
        self.items = np.sort(self.rng.permutation(test)[:most])
        rows = [column.places[item][0] for item in self.items]
        self.positions = [column.places[item][1] for item in self.items]
        plain = replace(Prompts.__getitem__(prompts, rows), metric=None)
        self.prompts, self.metric = plain, None if metric is None else metric.select(rows)
        self.reading = self.metric or Metric.reading(self._answers(), pooled=model.pools)
        self.sites = model.stream_sites()
        with torch.no_grad():
            self.trace = model.run(plain, record=self.sites, answer=self.reading)

    def _answers(self) -> Sequence[int]:
        return self.prompts.answer_positions(self.model) if self.model.is_classifier else self.positions

    def consequences(self, states: States, method: Any, penalty: float, change: Change) -> list[Consequences]:
        """Of that change at every layer."""
        places, codes = [self.column.places[item] for item in self.train], self.column.codes[self.train]
        last = len(self.sites) - 1
        probe = fit("linear" if method == "codelength" else method, states.at(places, last), codes, penalty)
        found = []
        for layer in track(range(last + 1), last + 1, "changing each layer"):
            function = _CHANGES[change](states.at(places, layer), codes)
            logits, out = self._run(layer, function)
            said, right = probe.predict(out), self.column.codes[self.items]
            accuracy = np.mean([np.mean(said[right == code] == code) for code in np.unique(right)])
            effect = None
            if self.metric is not None:
                effect = (self.metric.of_rows(logits) - self.metric.of_rows(self.trace.logits)).double().cpu().numpy()
            random = self._run(layer, self._random(function))[0]
            found.append(Consequences(float(accuracy), self._divergence(logits), self._divergence(random), effect))
        return found

    def _random(self, function: Affine) -> Affine:
        """As many random directions, or a random shift of the same length."""
        rank, width = function.right.shape
        shift = self.rng.normal(size=width)
        shift *= np.linalg.norm(function.shift) / np.linalg.norm(shift)
        return replace(without_span(function.mean, self.rng.normal(size=(rank, width))), shift=shift)

    def _run(self, layer: int, function: Affine) -> tuple[Tensor, Float[np.ndarray, "row d_model"]]:
        """The logits at the answers, and the last stream at the items, with the states there changed."""
        rows = torch.arange(len(self.items), device=self.model.device)
        at = torch.tensor(self.positions, device=self.model.device)

        def changed(stream: Tensor) -> Tensor:
            stream = stream.clone()
            stream[rows, at] = torch.from_numpy(function(stream[rows, at].double().cpu().numpy())).to(stream)
            return stream

        start = min(layer, self.model.dims.layers - 1)
        with torch.no_grad():
            trace = self.model.run(
                self.prompts, record=self.sites[-1:], edits=[Edit.through(self.sites[layer], changed)],
                answer=self.reading, start=(start, self.trace[self.sites[start]]),
            )  # fmt: skip
        return trace.logits, trace[self.sites[-1]][rows, at].double().cpu().numpy()

    def _divergence(self, logits: Tensor) -> Float[np.ndarray, "row"]:
        before, after = self.trace.logits.double().log_softmax(-1), logits.double().log_softmax(-1)
        return (before.exp() * (before - after)).sum(-1).cpu().numpy()
