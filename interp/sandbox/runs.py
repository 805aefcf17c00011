"""The folder of a training: its checkpoints by step, its log, and what was measured at its end."""

from pathlib import Path
from typing import Any

from torch import nn

from interp.models.hooked import HookedModel


class Run:
    """A training of a task, ended or not: `config.json`, tokenizer, `steps/STEP.safetensors`, `log.nc`, report."""

    task: Any
    problem: Any

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.path = name, folder

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps whose weights are there."""
        return tuple(sorted(int(path.stem) for path in self.path.glob("steps/*.safetensors")))

    def plain(self, step: int) -> nn.Module:
        """The model after that step, as it is trained. Raises: ModelError if there is no such step."""
        raise NotImplementedError

    def hooked(self, step: int) -> HookedModel:
        """The model after that step, as engines take it: `interp.load("RUN@STEP")`."""
        raise NotImplementedError
