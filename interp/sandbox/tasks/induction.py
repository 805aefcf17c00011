"""Induction: after a token that was seen before, the one that followed it then.

A row is a random sequence of different tokens, read twice or more, in an order and with a length that change from row
to row, so that no position tells the answer.
"""

from typing import Any

import torch
from jaxtyping import Int
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn import functional as F

from interp.sandbox.small_model import SmallModel
from interp.sandbox.task import Batch, Problem, Task, Training


@dataclass(frozen=True)
class Induction(Problem):
    """Random tokens, then the same again from a random place on."""

    tokens: int = Field(default=32, ge=3, le=1024, description="different tokens")
    positions_read: int = Field(default=32, ge=4, le=1024, description="positions of an input")

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Numbers."""
        return tuple(f"t{at}" for at in range(self.tokens))

    @property
    def length(self) -> int:
        """All positions."""
        return self.positions_read

    @property
    def _periods(self) -> tuple[int, int]:
        """The shortest and the longest sequence."""
        longest = min(self.tokens, self.positions_read // 2)
        return max(2, longest // 2), longest

    def batch(self, n: int, generator: torch.Generator) -> Batch:
        """A cycle of different tokens per row, of a random length of a quarter to half of the input."""
        shortest, longest = self._periods
        period = torch.randint(shortest, longest + 1, (n, 1), generator=generator)
        order = torch.rand(n, self.tokens, generator=generator).argsort(1)
        place = torch.arange(self.positions_read + 1)[None] % period
        sequence = order.gather(1, place)
        at = torch.arange(1, self.positions_read + 1)[None]
        repeated = at >= period + 1  # the token before has stood there before, and what followed it
        classes = {
            "first reading": ~repeated & (at > 0),
            "second": repeated & (at < 2 * period),
            "later": at >= 2 * period,
        }
        return Batch(sequence[:, :-1], sequence[:, 1:], torch.ones(n, self.positions_read), classes)

    def baselines(self, batch: Batch) -> dict[str, Tensor]:
        """All tokens alike; and who knows the generator: that lengths are equally likely, and what repeats."""
        uniform = torch.zeros(*batch.inputs.shape, self.tokens)
        shortest, longest = self._periods
        count = torch.arange(1, self.positions_read + 1).clamp_max(longest)[:, None]
        ends = torch.where(count >= shortest, 1 / (longest - count + 1), 0.0)  # of those lengths that are left
        unread = (F.one_hot(batch.inputs, self.tokens).cumsum(1) == 0).float()
        first = F.one_hot(batch.inputs[:, :1], self.tokens).float()
        reading = ends * first + (1 - ends) * unread / unread.sum(-1, keepdim=True).clamp_min(1)
        after = self.factors(batch)["followed by"]
        repeating = F.one_hot(after.clamp_min(0), self.tokens).float()
        best = torch.where((after >= 0)[..., None], repeating, reading)
        return {"chance": uniform, "best possible": best.log().clamp_min(-1e4)}

    def factors(self, batch: Batch) -> dict[str, Int[Tensor, "row pos"]]:
        """The token before, and what followed the present token where it stood before; −1 where there is none."""
        before = F.pad(batch.inputs, (1, 0), value=-1)[:, :-1]
        same = (batch.inputs[:, :, None] == batch.inputs[:, None]).tril(-1)
        last = torch.where(same.any(-1), same.int().cumsum(-1).argmax(-1), -1)
        after = batch.inputs.gather(1, (last + 1).clamp_max(self.positions_read - 1))
        return {"previous token": before, "followed by": torch.where(last >= 0, after, -1)}


def tasks() -> tuple[Task, ...]:
    """Two layers, and one that shifts keys and values."""
    common: dict[str, Any] = {"neurons": 1, "mlp": "none", "width": 32, "head_size": 16, "positions": "learned"}
    training = Training(steps=600, batch=64, lr=3e-3, weight_decay=0.01, decay=0.3, spaced=4, every=50, logged=10)
    return (
        Task(
            "induction",
            "Say what followed a token when it stood before",
            "Olsson et al. 2022 (induction heads), in the setting of repeated random tokens",
            Induction(),
            SmallModel(layers=2, **common),
            training,
            seconds=60,
        ),
        Task(
            "kv-shift",
            "The same in one layer whose heads mix keys and values with those of the position before",
            "Xu et al. 2024 (KV shifting attention)",
            Induction(),
            SmallModel(layers=1, kv_shift=True, **common),
            training,
            seconds=50,
        ),
    )
