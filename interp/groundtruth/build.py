"""`python -m interp.groundtruth.build [NAME …]`: compile the programs, check them, and write the models of the package.

Needs the extra `groundtruth`; building again gives the same files, byte by byte.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.numpy import save_file

from interp.core.errors import ModelError
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.groundtruth.effects import effects
from interp.models.hooked import HookedModel
from interp.models.load import load_files
from interp.models.sources import KNOWN_FOLDER
from interp.models.word_tokenizer import settings, tokenizer
from interp.tasks.program import text_of
from interp.tasks.programs import COMPILED, PROGRAMS, Program, written

if TYPE_CHECKING:
    from interp.groundtruth.compiling import Compiled

_BATCH = 256


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the named models, or all."""
    parser = argparse.ArgumentParser(prog="python -m interp.groundtruth.build", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", default=list(COMPILED), help="programs; by default all")
    parser.add_argument("--out", type=Path, default=KNOWN_FOLDER / "rasp", help="folder; by default the package's own")
    options = parser.parse_args(arguments)
    if find_spec("tracr") is None:
        parser.error("tracr is not installed; install interp with its extra groundtruth")
    for name in options.names:
        if name not in COMPILED:
            parser.error(f"there is no program {name!r}; choose from {', '.join(COMPILED)}")
        sys.stderr.write(f"{build(PROGRAMS[name], options.out)}\n")


def build(program: Program, out: Path) -> Path:
    """Compile one program into `out`.

    Raises: ModelError if RASP's evaluator or the model is not the program on every input.
    """
    from interp.groundtruth.compiling import compile_program, require_evaluated  # with tracr, which few have

    compiled, folder = compile_program(program), out / program.name
    require_evaluated(compiled)
    folder.mkdir(parents=True, exist_ok=True)
    write(compiled, folder, f"rasp/{program.name}")
    return folder


def write(compiled: "Compiled", folder: Path, name: str) -> None:
    """Write a compiled program as a model, with its truth.

    Raises: ModelError if the model is not the program on every input, or 10,000 of them.
    """
    program = compiled.program
    save_file(compiled.weights, folder / "model.safetensors", metadata={"format": "pt"})
    write_json(folder / "config.json", compiled.config)
    write_json(folder / "tokenizer.json", tokenizer(compiled.vocabulary))
    write_json(folder / "tokenizer_config.json", settings(program.longest))
    model = load_files(str(folder), name, torch.float64, torch.device("cpu"))
    require_program(model, program)
    static = [" ".join(edge) for edge in compiled.edges]
    effective = [edge for edge, moves in zip(static, effects(model, compiled.edges), strict=True) if moves]
    truth = {"axes": compiled.axes, "selectors": compiled.selectors, "static": static, "effective": effective}
    write_json(folder / "truth.json", truth)


def require_program(model: HookedModel, program: Program) -> None:
    """Raises: ModelError if the model's largest logit is not the program's output somewhere on some input."""
    inputs = program.some_inputs()
    for first in track(range(0, len(inputs), _BATCH), -(-len(inputs) // _BATCH), "comparing it with its program"):
        some = inputs[first : first + _BATCH]
        prompts = Prompts.of(model, [text_of(tokens) for tokens in some])
        best = model.logits(prompts).argmax(-1)
        for tokens, row in zip(some, best, strict=True):
            wanted = program.function(tokens)
            outputs = [model.token_label(token) for token in row[1 : 1 + len(tokens)].tolist()]
            if any(value is not None and written(value) != got for value, got in zip(wanted, outputs, strict=True)):
                raise ModelError(f"{model.name} gives {outputs} for {text_of(tokens)!r}, not {wanted}; mend its RASP")


def write_json(path: Path, content: Any) -> None:
    """Write JSON the same way every time."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
