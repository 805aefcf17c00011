"""k-sparse probing: what a few features say of the token at hand, beside shuffled labels and raw dimensions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.core.ranking import strongest

BUDGETS = (1, 2, 5)
FEWEST = 20  # examples of a class, and of the others, in either half
Labels = Sequence[str]


@dataclass(frozen=True)
class Target:
    """A property of tokens that the text itself decides: its rule in words, and its value at every token."""

    name: str
    rule: str
    holds: Callable[[Labels], list[bool]]


def _each(test: Callable[[str], bool]) -> Callable[[Labels], list[bool]]:
    return lambda labels: [test(label) for label in labels]


def _bare(label: str) -> str:
    return label.strip()


def _inside(labels: Labels) -> list[bool]:
    """More brackets opened than closed before the token."""
    depth, flags = 0, []
    for label in labels:
        flags.append(depth > 0)
        for letter in label:
            depth = max(0, depth + {"(": 1, ")": -1}.get(letter, 0))
    return flags


def _again(labels: Labels) -> list[bool]:
    earlier: set[str] = set()
    return [label in earlier or bool(earlier.add(label)) for label in labels]


def _after(test: Callable[[str], bool]) -> Callable[[Labels], list[bool]]:
    return lambda labels: [False, *(test(label) for label in labels[:-1])]


TARGETS = (
    Target("new word", "the token starts with a space", _each(lambda label: label.startswith(" "))),
    Target(
        "capital", "its first character, spaces aside, is an upper-case letter", _each(lambda t: _bare(t)[:1].isupper())
    ),
    Target("digit", "it contains a digit", _each(lambda label: any(letter.isdigit() for letter in label))),
    Target(
        "punctuation",
        "it has visible characters, none of which is a letter or a digit",
        _each(lambda label: bool(_bare(label)) and not any(letter.isalnum() for letter in label)),
    ),
    Target("line break", "it contains a line break", _each(lambda label: "\n" in label)),
    Target("in brackets", "more round brackets were opened than closed before it in the window", _inside),
    Target("repeated", "the same token occurs earlier in the window", _again),
    Target("after the", "the previous token is “the”, in any case", _after(lambda t: _bare(t).lower() == "the")),
    Target("after a comma", "the previous token is a comma", _after(lambda label: _bare(label) == ",")),
    Target("after a full stop", "the previous token ends in a full stop", _after(lambda t: _bare(t).endswith("."))),
)


@dataclass(frozen=True)
class Probed:
    """Balanced accuracy on the second half of the windows, by target and number of features.

    `shuffled` has the labels shuffled within every window, and chooses its features anew; `raw` chooses among the
    site's own dimensions. `share` is how often the target holds.
    """

    targets: tuple[str, ...]
    budgets: tuple[int, ...]
    share: Float[np.ndarray, "target"]
    accuracy: Float[np.ndarray, "target budget"]
    shuffled: Float[np.ndarray, "target budget"]
    raw: Float[np.ndarray, "target budget"]


class Probes:
    """Probes of windows, in two passes over them: `choose` sees the rows of the first, `keep` those of the second.

    A row is a position that counts. The first half of the windows chooses columns by the |difference| of their means
    between the classes, and fits a logistic regression on standardised columns, both classes weighing the same; the
    second half tests it. A target with too few examples either way, in either half, is `left_out`.
    Source: Gurnee et al. 2023, "Finding Neurons in a Haystack", section 3 (choice by mean difference); Karvonen et al.
    2025, "SAEBench", sparse probing.
    """

    def __init__(
        self,
        windows: Prompts,
        mask: Bool[Tensor, "window pos"],
        *,
        seed: int = 0,
        targets: Sequence[Target] = TARGETS,
    ) -> None:
        there = mask.numpy()
        window, self._place = there.nonzero()[0], np.concatenate([[0], there.sum(1).cumsum()])
        self._training = window < len(windows) // 2
        true = {target: _labels(windows, target)[there] for target in targets}
        usable = [target for target, rows in true.items() if self._enough(rows)]
        self.targets = tuple(target.name for target in usable)
        self.left_out = tuple(target.name for target in targets if target not in usable)
        shuffled = [_shuffle(true[target], window, seed) for target in usable]
        self._labels = np.array([*(true[target] for target in usable), *shuffled], dtype=bool)
        self._differences = {"features": _Differences(), "site": _Differences()}
        self._columns: dict[str, np.ndarray] = {}
        self._inputs: dict[str, list[np.ndarray]] = {"features": [], "site": []}

    def _enough(self, labels: Bool[np.ndarray, "row"]) -> bool:
        halves = (labels[self._training], labels[~self._training])
        return all(min(half.sum(), (~half).sum()) >= FEWEST for half in halves)

    def choose(self, first: int, features: Float[Tensor, "row feature"], site: Float[Tensor, "row width"]) -> None:
        """Count a batch of windows in, of which the first is number `first`, where they are in the first half."""
        if not self.targets:
            return
        rows = slice(self._place[first], self._place[first] + len(features))
        training = self._training[rows]
        labels = torch.from_numpy(self._labels[:, rows][:, training]).to(features.device)
        for name, values in (("features", features), ("site", site)):
            self._differences[name].add(values[torch.from_numpy(training).to(values.device)], labels)

    def keep(self, first: int, features: Float[Tensor, "row feature"], site: Float[Tensor, "row width"]) -> None:
        """Keep the chosen columns of a batch of windows."""
        if not self.targets:
            return
        for name, values in (("features", features), ("site", site)):
            columns = np.unique(self.chosen(name))
            self._inputs[name].append(values[:, torch.from_numpy(columns).to(values.device)].float().cpu().numpy())

    def chosen(self, name: str) -> Int[np.ndarray, "label rank"]:
        """The columns that differ most between the classes, of true labels and then of shuffled ones."""
        if name not in self._columns:
            differences = self._differences[name].between().abs()
            self._columns[name] = strongest(differences, max(BUDGETS)).indices.cpu().numpy()
        return self._columns[name]

    def probed(self) -> Probed | None:
        """The probes' accuracies; None where no target has examples enough."""
        if not self.targets:
            return None
        count = len(self.targets)
        kinds = {"accuracy": ("features", 0), "shuffled": ("features", count), "raw": ("site", 0)}
        fits = [(of, target + by, k) for of, by in kinds.values() for target in range(count) for k in BUDGETS]
        scores = [self._score(*each) for each in track(fits, len(fits), "probes")]
        by_name = dict(zip(kinds, np.reshape(scores, (len(kinds), count, len(BUDGETS))), strict=True))
        return Probed(self.targets, BUDGETS, self._labels[:count].mean(1), **by_name)

    def _score(self, name: str, label: int, k: int) -> float:
        from sklearn.linear_model import LogisticRegression
        from sklearn.metrics import balanced_accuracy_score
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        top, labels = self.chosen(name), self._labels[label]
        columns = np.searchsorted(np.unique(top), top[label, :k])
        values = np.concatenate(self._inputs[name])[:, columns]
        probe: Any = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
        probe.fit(values[self._training], labels[self._training])
        return float(balanced_accuracy_score(labels[~self._training], probe.predict(values[~self._training])))


class _Differences:
    """Means of columns where a label holds and where it does not, from sums in float64."""

    def __init__(self) -> None:
        self.sums: Any = 0.0
        self.counts: Any = 0.0

    def add(self, values: Float[Tensor, "row column"], labels: Bool[Tensor, "label row"]) -> None:
        values = values.to(torch.promote_types(values.dtype, torch.float32))
        classes = torch.cat([labels, ~labels]).to(values)
        self.sums = self.sums + (classes @ values).double()
        self.counts = self.counts + classes.sum(1, dtype=torch.float64)

    def between(self) -> Float[Tensor, "label column"]:
        with_it, without = (self.sums / self.counts[:, None]).chunk(2)
        return with_it - without


def _labels(windows: Prompts, target: Target) -> Bool[np.ndarray, "window pos"]:
    """Where the target holds; padding has no token, and false."""
    mask = np.zeros((len(windows), windows.width), dtype=bool)
    for row, (labels, keep) in enumerate(zip(windows.labels, windows.mask.tolist(), strict=True)):
        places = [place for place, there in enumerate(keep) if there]
        mask[row, places] = target.holds([labels[place] for place in places])
    return mask


def _shuffle(labels: Bool[np.ndarray, "row"], window: Int[np.ndarray, "row"], seed: int) -> Bool[np.ndarray, "row"]:
    """The same labels in another order in every window."""
    labels = labels.copy()
    for number in np.unique(window):
        rows = window == number
        labels[rows] = np.random.default_rng([seed, int(number)]).permutation(labels[rows])
    return labels
