"""Transformer Programs: discrete transformers that are learned, and are then programs that a person can read.

Source: Friedman et al. 2023. Differs: see `soft`; and what costs no accuracy is left out of the program.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.numpy import save

from interp.core.errors import ModelError
from interp.core.options import parse_options
from interp.core.prompts import Prompts
from interp.groundtruth.effects import effects
from interp.groundtruth.transformer_programs.assembling import Assembly, edges
from interp.groundtruth.transformer_programs.emitting import emitted
from interp.groundtruth.transformer_programs.learned import LearnedProgram, discretised, pruned
from interp.groundtruth.transformer_programs.training import Learning, ProgramOptions, Rows, share_right
from interp.models.hooked import HookedModel
from interp.models.load import load_files
from interp.models.sources import KNOWN_FOLDER
from interp.models.training import TrainingFolder, fit
from interp.models.word_tokenizer import settings as tokenizer_settings
from interp.models.word_tokenizer import tokenizer
from interp.tasks.programs import LEARNED, PROGRAMS

RECIPES = KNOWN_FOLDER.parent / "transformer_programs" / "recipes.json"
PUBLISHED = {  # by Friedman et al., for vocabularies and lengths up to 16
    "reverse": 0.9979, "hist": 1.0, "double_hist": 0.9840, "sort": 0.9983, "most_frequent": 0.7569, "dyck1": 0.9930,
    "dyck2": 0.9909,
}  # fmt: skip
_BATCH = 256


def recipe(task: str) -> ProgramOptions:
    """The options that the package's own program for a task was learned with."""
    return parse_options("train program", ProgramOptions, json.loads(RECIPES.read_text()).get(task, {}))


def learn(task: str, out: Path, options: ProgramOptions) -> dict[str, Any]:
    """Learn a program for a task (`sort`), and write it as source and as a model; returns the report.

    A folder in which the same training was stopped is resumed; the result is the same as without the stop.
    Raises: ModelError if there is no such task, or the folder holds another training or cannot be written.
    """
    if f"learned_{task}" not in LEARNED:
        tasks = ", ".join(name.removeprefix("learned_") for name in LEARNED)
        raise ModelError(f"there is no task {task!r} to learn a program for; choose one of {tasks}")
    learning, folder = Learning(PROGRAMS[f"learned_{task}"], options), TrainingFolder(out)
    settings = {"task": task, **asdict(options)}
    settings.pop("checkpoint")  # decides nothing
    with folder.locked():
        folder.begin(settings)
        if (report := folder.report) is not None:
            return report
        trained = fit(
            folder,
            learning.soft,
            learning.loss,
            steps=options.steps,
            rate=options.rate,
            seed=options.seed,
            every=options.checkpoint,
            label=f"learning {task}",
        )
        whole = discretised(learning.soft, learning.symbols, learning.positions)
        program = pruned(whole, *learning.rows)
        report = {
            "settings": settings,
            "seconds": trained.seconds,
            "loss": [round(each, 6) for each in trained.history],
            "accuracy": share_right(program.answers(learning.held_out.tokens), learning.held_out),
            "accuracy_before_choices": learning.soft_accuracy(),
            "accuracy_before_pruning": share_right(whole.answers(learning.held_out.tokens), learning.held_out),
            "accuracy_published": PUBLISHED.get(task),
        }
        folder.finish(_files(learning, program, folder), report)
    return report


def _files(learning: Learning, program: LearnedProgram, folder: TrainingFolder) -> dict[str, bytes]:
    """The model, its source and its circuit. Raises: ModelError if model and program differ on a held-out row."""
    assembly = Assembly(program, learning.classes, learning.program.name)
    config, weights = assembly.config(), assembly.weights()
    source = emitted(program, learning.classes, f"{learning.program.name}: {learning.program.summary}.")
    files = {
        "config.json": _json(config),
        "model.safetensors": save(weights, {"format": "pt"}),
        "tokenizer.json": _json(tokenizer(assembly.vocabulary)),
        "tokenizer_config.json": _json(tokenizer_settings(learning.program.longest)),
        "program.py": source.text.encode(),
    }
    static = edges(weights, config)
    with folder.scratch() as scratch:
        for name, content in files.items():
            (scratch / name).write_bytes(content)
        for dtype in (torch.float32, torch.float64):
            model = load_files(str(scratch), learning.program.name, dtype, torch.device("cpu"))
            _require_same(model, learning.held_out, assembly)
        moves = effects(model, static)
    effective = [" ".join(edge) for edge, moved in zip(static, moves, strict=True) if moved]
    truth = {
        "axes": assembly.axis_names(),
        "static": [" ".join(edge) for edge in static],
        "effective": effective,
        "lines": {str(line): sender for line, sender in source.lines.items()},
    }
    return files | {"truth.json": _json(truth)}


def _require_same(model: HookedModel, rows: Rows, assembly: Assembly) -> None:
    program, classes = assembly.program, assembly.classes
    answers = program.answers(rows.tokens)
    for first in range(0, len(answers), _BATCH):
        some = slice(first, first + _BATCH)
        texts = [
            " ".join(program.symbols[value - 1] for value in row if value > 0) for row in rows.tokens[some].tolist()
        ]
        prompts = Prompts.of(model, texts)
        best = model.logits(prompts).argmax(-1)
        wanted = torch.tensor([assembly.vocabulary.index(each) for each in classes])[answers[some]]
        for row, (one, other, mask) in enumerate(zip(best, wanted, prompts.mask, strict=True)):
            if not torch.equal(one[mask][1:], other[1 : int(mask.sum())]):
                raise ModelError(f"{assembly.name}: the model is not its program on {texts[row]!r}")


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


__all__ = ["PUBLISHED", "ProgramOptions", "learn", "recipe"]
