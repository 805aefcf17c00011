"""Prompts with labels: at which tokens something is known, what, and which of them belong together."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import NamedTuple, Self

from interp.core.errors import PromptError
from interp.core.prompts import Prompts


class Item(NamedTuple):
    """One labelled token: its prompt, its position there, its label, and the group that no split may cut."""

    row: int
    pos: int
    label: str
    group: str


@dataclass(frozen=True, eq=False)
class LabelledPrompts(Prompts):
    """Prompts some of whose tokens are labelled."""

    items: tuple[Item, ...] = ()

    @classmethod
    def of_items(cls, prompts: Prompts, items: Sequence[Item]) -> Self:
        """The prompts with these labels.

        Raises: PromptError without two different labels, or for a position at which a prompt has no token.
        """
        if len({item.label for item in items}) < 2:
            only = f"every label is {items[0].label!r}" if items else "no token is labelled"
            raise PromptError(f"{only}; probes tell labels apart, give at least two")
        lengths = prompts.mask.sum(-1).tolist()
        for item in items:
            if not 0 <= item.pos < lengths[item.row]:
                raise PromptError(
                    f"prompt {item.row} ({prompts.texts[item.row]!r:.60}) has positions 0 to "
                    f"{lengths[item.row] - 1}, not {item.pos}; correct the label's position"
                )
        values = {field.name: getattr(prompts, field.name) for field in fields(Prompts)}
        return cls(**values, items=tuple(items))

    @property
    def classes(self) -> tuple[str, ...]:
        """The different labels, in order."""
        return tuple(sorted({item.label for item in self.items}))

    @cached_property
    def hash(self) -> str:
        """A hash of the tokens and of their labels."""
        digest = hashlib.blake2b(repr(self.items).encode(), digest_size=8)
        return f"{super().hash}-{digest.hexdigest()}"
