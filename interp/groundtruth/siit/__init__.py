"""Transformers trained to have the circuit of a compiled program (strict interchange-intervention training).

Source: Gupta et al. 2024, InterpBench. Differs: what is exchanged are edges, so that edges outside the circuit are
known to carry nothing, too; the gradient goes through the source run; one loss and one optimiser step per batch.
"""

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch.optim import Adam

from interp.core.options import parse_options
from interp.groundtruth.siit.scoring import missed
from interp.groundtruth.siit.training import Lesson, SiitOptions
from interp.models.sources import KNOWN_FOLDER, known_models, resolve
from interp.models.training import TrainingFolder, fit

RECIPES = KNOWN_FOLDER.parent / "siit" / "recipes.json"


def recipe(program: str) -> SiitOptions:
    """The options that the package's own model of a program is trained with; the usual ones for other programs."""
    return parse_options("train siit", SiitOptions, json.loads(RECIPES.read_text()).get(program, {}))


def train(program: str, out: Path, options: SiitOptions) -> dict[str, Any]:
    """Train a student of a compiled program (`sort`, or the folder of one), and write its folder; returns its report.

    A folder in which the same training was stopped is resumed; the result is the same as without the stop.
    Raises: ModelError if there is no such program, or the folder holds another training or cannot be written.
    """
    name = f"rasp/{program}"
    source = Path(resolve(name if name in known_models() else program))
    lesson, folder = Lesson(source, options), TrainingFolder(out)
    settings = {"program": program, **asdict(options)}
    settings.pop("checkpoint")  # decides nothing
    with folder.locked():
        folder.begin(settings)
        if (report := folder.report) is not None:
            return report
        trained = fit(
            folder,
            lesson.student,
            lesson.loss,
            steps=options.steps,
            rate=options.rate,
            seed=options.seed,
            every=options.checkpoint,
            optimiser=partial(Adam, betas=(0.9, 0.99)),
            clip=1.0,
            label=f"training on {program}",
        )
        scores = lesson.scores()
        report = {
            "settings": settings,
            "seconds": trained.seconds,
            "loss": [round(each, 6) for each in trained.history],
            "missed": missed(scores),
            **scores,
        }
        folder.finish(_files(lesson, source), report)
    return report


def _files(lesson: Lesson, source: Path) -> dict[str, bytes]:
    """The student as a checkpoint, with the circuit that it was trained to have."""
    graph, state = lesson.teacher.graph, lesson.student.state_dict()
    edges = [
        f"{graph.senders[sender]} {graph.receivers[receiver]}" for receiver, sender in lesson.teacher.circuit.nonzero()
    ]
    config = lesson.student.config

    written = {name: getattr(config, name) for name in lesson.teacher.config}
    return {
        "config.json": _json(written),
        "model.safetensors": save({name: value.contiguous() for name, value in state.items()}, {"format": "pt"}),
        **{name: (source / name).read_bytes() for name in ("tokenizer.json", "tokenizer_config.json")},
        "truth.json": _json({"axes": [], "static": edges, "effective": edges}),
    }


def _json(content: Any) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


__all__ = ["SiitOptions", "recipe", "train"]
