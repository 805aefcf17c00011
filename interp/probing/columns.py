"""One column of the sweep: the items at one position relative to the label, with labels, groups and controls."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from interp.core.labelled import LabelledPrompts
from interp.corpus.harvest import Place
from interp.corpus.labels import Codes, shuffled_labels
from interp.probing.fitting import Split


@dataclass(frozen=True)
class Column:
    """Where its items are, their labels as numbers, two controls for these, and how they are split."""

    places: list[Place]
    codes: Codes
    shuffled: Codes
    by_type: Codes
    split: Split

    @property
    def can_be_judged(self) -> bool:
        """Whether there are two groups and two labels."""
        return bool(self.split.folds) and len(np.unique(self.codes)) > 1

    @classmethod
    def of(cls, prompts: LabelledPrompts, offset: int, folds: int, seed: int) -> "Column":
        """The items that have a token `offset` positions from their own."""
        ends, number = prompts.mask.sum(-1).tolist(), {name: at for at, name in enumerate(prompts.classes)}
        items = [item for item in prompts.items if 0 <= item.pos + offset < ends[item.row]]
        places = [(item.row, item.pos + offset) for item in items]
        codes = np.array([number[item.label] for item in items], dtype=int)
        groups, rng = [item.group for item in items], np.random.default_rng(seed)
        types = np.array([int(prompts.tokens[place]) for place in places], dtype=int)
        split = Split.of(groups, codes, folds, seed) if items else Split(codes, (), seed)
        return cls(places, codes, shuffled_labels(codes, split.groups, rng), labels_by_type(types, codes, rng), split)


def labels_by_type(types: Int[np.ndarray, "row"], codes: Codes, rng: np.random.Generator) -> Codes:
    """One label for every type: that of one of its items, these changing places among the types.

    All the same where types part the items as the labels do: any labels by type would be the labels, renamed.
    """
    if len(np.unique(types)) == len(np.unique(codes)) == len(np.unique(np.stack([types, codes]), axis=1).T):
        return np.zeros_like(codes)
    order = rng.permutation(len(codes))
    _, first, number = np.unique(types[order], return_index=True, return_inverse=True)
    control = np.empty_like(codes)
    control[order] = rng.permutation(codes[order][first])[number]
    return control


def bag_of_tokens(prompts: LabelledPrompts, places: Sequence[Place], *, causal: bool) -> Any:
    """How often each token stands where the state can see it, a sparse row a place."""
    from scipy.sparse import csr_array

    ends = prompts.mask.sum(-1).tolist()
    rows, columns = [], []
    for at, (row, pos) in enumerate(places):
        tokens = prompts.tokens[row, : pos + 1 if causal else ends[row]].tolist()
        rows += [at] * len(tokens)
        columns += tokens
    _, columns = np.unique(columns, return_inverse=True)
    shape = (len(places), int(columns.max(initial=0)) + 1)
    return csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)
