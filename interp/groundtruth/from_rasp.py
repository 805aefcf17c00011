"""A model out of the text of a RASP program: in the cache, by what it was compiled from."""

import hashlib
import json
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from interp.core.errors import ModelError
from interp.core.folders import RunFolder
from interp.core.progress import track
from interp.models import HookedModel, load
from interp.models.sources import CACHE_VARIABLE, cache_folder
from interp.tasks.rasp import Meaning, meaning
from interp.tasks.rasp.syntax import Place, RaspError

_VERSION = 1  # of what is written; another one is compiled afresh


class _CompiledModel(RunFolder):
    """A compiled program in the cache; its config vouches for the rest."""

    full_disk = f"free some disk space, or set {CACHE_VARIABLE} to a writable folder"


def compile(  # noqa: A001
    source: str,
    vocabulary: str | Sequence[str] = "a b c d",
    longest: int = 5,
    *,
    causal: bool = False,
    **settings: Any,
) -> HookedModel:
    """A program in RASP as a model: what its last statement gives at each position is the model's largest logit there.

    The language is that of Weiss et al. 2021: `tokens`, `indices`, `length`; `select(keys, queries, ==)` and the other
    comparisons; `aggregate`, `selector_width`; arithmetic, comparisons, `a if c else b`, `and`, `or`, `not` (of
    selectors too), `round`, `abs`, `indicator`; `name = …;` and `def f(x) { …; return …; }`. Where nothing is selected,
    a position is blank, and so is what is computed from it; zeros and ones, and truth values, are averaged, and
    anything else is moved from the one key selected. Words of `vocabulary` that look like whole numbers are numbers.
    In a `causal` program a position selects only itself and earlier ones, and `length` is that of what it sees.
    The model, with its circuit as for those of the package, stays in the cache as `compiled/NAME`;
    `settings` as `interp.load` takes them.
    Raises: RaspError in one line for what does not compile, with the construct, its place and the remedy; ModelError
    without the extra `groundtruth`.
    """
    return load(compiled_name(source, vocabulary, longest, causal), **settings)


def compiled_name(source: str, vocabulary: str | Sequence[str], longest: int, causal: bool) -> str:
    """The name of the model of a program in RASP, compiled unless it is in the cache. Raises: as `compile`."""
    words = vocabulary.split() if isinstance(vocabulary, str) else list(map(str, vocabulary))
    program = {"source": source, "vocabulary": words, "longest": longest, "causal": causal}
    meant = meaning(**program)
    digest = hashlib.blake2b(json.dumps([_VERSION, program]).encode(), digest_size=4).hexdigest()
    name = f"{meant.output.name}-{digest}"
    folder = _CompiledModel(cache_folder("compiled") / name, ModelError)
    if not (folder.path / "config.json").exists():
        with folder.locked(patience=-1):
            if not (folder.path / "config.json").exists():
                _compile_into(folder, meant, program, f"compiled/{name}")
    return f"compiled/{name}"


def compiling_obstacle() -> str:
    """Why nothing can be compiled here; empty where it can."""
    if find_spec("tracr") is None:
        return "compiling needs tracr, which is not installed: pip install 'interp[groundtruth]'"
    return ""


def _compile_into(folder: RunFolder, meant: Meaning, program: dict[str, Any], name: str) -> None:
    if obstacle := compiling_obstacle():
        raise ModelError(obstacle)
    from interp.groundtruth.build import write
    from interp.groundtruth.lowering import compile_meaning

    _require_outputs(meant)
    compiled = compile_meaning(meant)
    compiled.config["program"] = program
    with folder.making("config.json") as scratch:
        write(compiled, scratch, name)


def _require_outputs(meant: Meaning) -> None:
    """Raises: RaspError if the program averages what it can only move, or gives nothing anywhere."""
    inputs, full = meant.program.some_inputs(), False
    for tokens in track(inputs, len(inputs), "running the program"):
        outputs = meant.function(tokens)
        full = full or (len(tokens) == meant.longest and any(value is not None for value in outputs))
    if not full:
        raise RaspError(Place(1, 1), f"the program's output is blank on every input of {meant.longest} tokens; mend it")
