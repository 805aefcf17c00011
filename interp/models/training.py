"""Training small models: in steps, with checkpoints, and after a kill to the same bits as without one."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor, nn

from interp.core.errors import ModelError
from interp.core.folders import RunFolder
from interp.core.progress import track

REPORT = "report.json"
_CHECKPOINT = "checkpoint.safetensors"

Loss = Callable[[int, torch.Generator], Tensor]
Optimiser = Callable[[list[nn.Parameter]], torch.optim.Optimizer]
Row = dict[str, Any]


class Step(NamedTuple):
    """How many steps are done, and of the last one the loss and the gradient's norm before it was cut; NaN before."""

    done: int
    loss: float
    gradient_norm: float


Watch = Callable[[Step], Row | None]


class Fit(NamedTuple):
    """The mean loss between checkpoints, the processor's time, and what a watcher noted, in all runs together."""

    history: list[float]
    seconds: float
    log: list[Row]


class TrainingFolder(RunFolder):
    """The folder of one training: its settings, its last checkpoint, and the model at its end.

    The report vouches for the model: it is written last, with what was measured beside the settings.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, ModelError)

    @property
    def report(self) -> dict[str, Any] | None:
        """What was measured; None before the end."""
        record = self.record(REPORT, dict[str, Any])
        return None if record is None or list(record) == ["settings"] else record

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Take the folder for this training, or resume it. Raises: ModelError if it holds something else."""
        record = self.record(REPORT, dict[str, Any])
        if record is not None:
            self.require_same(record.get("settings", {}), settings)
            return
        others = sorted(path.name for path in self.path.iterdir() if not path.name.startswith("."))
        if others:
            raise ModelError(f"{self.path} holds {others[0]}, but no training; give a new or empty folder")
        self.write_record(REPORT, {"settings": settings})

    def save(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Write a checkpoint in place of the last. Raises: ModelError if the disk is full; the last one stays then."""
        content = {name: each.detach().clone().contiguous() for name, each in tensors.items()}
        self.write(_CHECKPOINT, safetensors.torch.save(content, {"facts": json.dumps(facts)}))

    def restore(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The last checkpoint; None before the first. Raises: ModelError if it is damaged."""
        path = self.path / _CHECKPOINT
        if not path.exists():
            return None
        with self.reading(path), safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
            return tensors, json.loads(file.metadata()["facts"])

    def finish(self, files: Mapping[str, bytes], report: Mapping[str, Any]) -> None:
        """Put the model in place, its report after all other files, and drop the checkpoint."""
        with self.making(REPORT) as scratch:
            for name, content in files.items():
                (scratch / name).write_bytes(content)
            (scratch / REPORT).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        (self.path / _CHECKPOINT).unlink(missing_ok=True)

    @property
    def last_state(self) -> str:
        """What there is to go back to, in words."""
        return "the last checkpoint is complete" if (self.path / _CHECKPOINT).exists() else "there is no checkpoint yet"


def fit(
    folder: TrainingFolder,
    model: nn.Module,
    loss: Loss,
    *,
    steps: int,
    rate: Callable[[int], float],
    seed: int,
    every: int,
    optimiser: Optimiser = torch.optim.Adam,
    clip: float = float("inf"),
    watch: Watch = lambda step: None,
    label: str = "steps",
) -> Fit:
    """Train `model` on `loss(step, generator)`, and leave a checkpoint `every` so many steps.

    `watch` is told of every step, the beginning included; what it returns is a row of the log. It may be told twice of
    a step, where a training was killed, and must leave the model and the generator as they are.

    Whatever is random has to be drawn from the generator. Starts from the folder's checkpoint where there is one.
    Raises: ModelError if a checkpoint cannot be written, or that which is there is damaged.
    """
    parameters = [each for each in model.parameters() if each.requires_grad]
    descent = optimiser(parameters)
    generator = torch.Generator().manual_seed(seed)
    first, history, losses, before, started = 0, [], [], 0.0, time.process_time()
    log: list[Row] = []
    if checkpoint := folder.restore():
        tensors, facts = checkpoint
        generator.set_state(tensors.pop("generator"))
        moments: dict[int, dict[str, Tensor]] = {}
        for name in [name for name in tensors if name.startswith("optimiser.")]:
            _, parameter, moment = name.split(".")
            moments.setdefault(int(parameter), {})[moment] = tensors.pop(name)
        model.load_state_dict({name.removeprefix("model."): each for name, each in tensors.items()})
        descent.load_state_dict(descent.state_dict() | {"state": moments})
        first, history, before, log = facts["step"], facts["history"], facts["seconds"], facts["log"]
    elif row := watch(Step(0, float("nan"), float("nan"))):
        log.append(row)
    for step in track(range(first, steps), steps, label, first=first):
        for group in descent.param_groups:
            group["lr"] = rate(step)
        value = loss(step, generator)
        descent.zero_grad()
        value.backward()
        norm = nn.utils.clip_grad_norm_(parameters, clip)
        descent.step()
        losses.append(value.item())
        if row := watch(Step(step + 1, losses[-1], float(norm))):
            log.append(row)
        if (step + 1) % every == 0:
            history, losses = [*history, sum(losses) / len(losses)], []
            moments = descent.state_dict()["state"]
            tensors = {f"model.{name}": each for name, each in model.state_dict().items()}
            tensors |= {f"optimiser.{at}.{name}": each for at, some in moments.items() for name, each in some.items()}
            seconds = before + time.process_time() - started
            facts = {"step": step + 1, "history": history, "seconds": seconds, "log": log}
            folder.save(tensors | {"generator": generator.get_state()}, facts)
    return Fit(history, round(before + time.process_time() - started, 1), log)
