"""Prompts taken some at a time, so that memory does not grow with how many there are."""

from typing import NamedTuple

import numpy as np

from interp.core.metric import Metric
from interp.core.prompts import PromptPairs, Prompts


class Group(NamedTuple):
    """Some of the prompts: their rows, themselves, and what they are asked."""

    rows: list[int]
    prompts: Prompts | PromptPairs
    metric: Metric

    @property
    def clean(self) -> Prompts:
        """The prompts without their corrupted twins."""
        return self.prompts.clean


def groups(prompts: Prompts | PromptPairs, metric: Metric, batch_tokens: int) -> list[Group]:
    """Groups as alike in size as can be, each of one prompt or of at most `batch_tokens` tokens."""
    width = prompts.clean.width
    count = -(-len(prompts) // max(1, batch_tokens // width))
    splits = [rows.tolist() for rows in np.array_split(np.arange(len(prompts)), count)]
    return [Group(rows, prompts[rows], metric.select(rows)) for rows in splits]
