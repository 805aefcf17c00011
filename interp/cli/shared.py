"""What the commands share: one-line errors, the model's flags and loading, the progress bar, printing a result."""

import argparse
import csv
import dataclasses
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from logging import CRITICAL, getLogger
from typing import TYPE_CHECKING, Any, NoReturn

from interp.core.errors import OptionError

if TYPE_CHECKING:
    import pandas as pd

    from interp.core.result import Result
    from interp.models import HookedModel

PATIENCE = 10.0  # seconds without a word
FORMATS = ("csv", "json", "html", "none")
CORPUS = "stdlib, a file or folder (txt, md, jsonl, parquet; PATH:COLUMN), or hf:NAME[:CONFIG[:SPLIT[:COLUMN]]]"


class Parser(argparse.ArgumentParser):
    """argparse with one-line errors and no guessing of shortened flags."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)
        self._negative_number_matcher = re.compile(r"-(\.?\d|inf|nan)", re.IGNORECASE)  # argparse's knows no -1e3

    def error(self, message: str) -> NoReturn:
        """Refuse. Raises: OptionError."""
        raise OptionError(f"{message}; see `{self.prog} --help`")


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """The model, its precision and its device."""
    parser.add_argument(
        "--model", default="smollm2-135m", help="packaged name, Hugging Face id, local folder or GGUF file"
    )
    parser.add_argument("--dtype", default="float32", help="float32, float64, bfloat16 or float16")
    parser.add_argument("--device", help="device to run on; by default a GPU if there is one")
    parser.add_argument("--verbose", action="store_true", help="show log messages of the libraries in use")


def add_options(group: Any, options: type, names: set[str], defaults: Mapping[str, Any] | None = None) -> None:
    """A flag for each option. pydantic reads the text later, so that flags, form and library refuse alike.

    `defaults` are told instead of the options' own.
    """
    from interp.core.options import described_options

    schemas = described_options(options)
    for option in dataclasses.fields(options):
        if option.name in names:
            continue
        schema = schemas[option.name]
        default = schema.get("default") if defaults is None else defaults[option.name]
        text = f"{schema.get('description', '')} (default: {'none' if default in (None, []) else default})"
        flag, kind = "--" + option.name.replace("_", "-"), schema.get("type")
        if kind == "boolean" or {"type": "boolean"} in schema.get("anyOf", ()):
            group.add_argument(flag, dest=option.name, action=argparse.BooleanOptionalAction, default=None, help=text)
        elif kind == "array":
            group.add_argument(flag, dest=option.name, nargs="*", metavar="VALUE", help=text)
        else:
            choices = "{" + ",".join(schema["enum"]) + "}" if "enum" in schema else "VALUE"
            group.add_argument(flag, dest=option.name, metavar=choices, help=text)


def whole(least: int, most: int = 10**9) -> Callable[[str], int]:
    """Reads a whole number from `least` to `most`."""

    def number(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{value} is not from {least:,} to {most:,}")
        return value

    number.__name__ = "int"  # as argparse calls it where the text is no number
    return number


def load_model(arguments: argparse.Namespace) -> "HookedModel":
    """The model that the flags name."""
    from interp.models import load

    quiet_libraries(arguments.verbose)
    return load(arguments.model, dtype=arguments.dtype, device=arguments.device)


def quiet_libraries(verbose: bool) -> None:
    """Keep what libraries log off standard error, unless it is asked for."""
    if not verbose:
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        for name in ("datasets", "huggingface_hub"):
            getLogger(name).setLevel(CRITICAL)  # what goes wrong is raised too


class ProgressLines:
    """Writes how far a loop is and how long it will take, after ten seconds and whenever that time has doubled."""

    def __init__(self) -> None:
        self._starts: dict[str, tuple[float, int]] = {}
        self._next: dict[str, float] = {}

    def __call__(self, label: str, done: int, total: int) -> None:
        """What `reporting` calls."""
        now = time.monotonic()
        start, before = self._starts.setdefault(label, (now, done))
        if done == before:  # begun, or begun again
            self._starts[label] = now, done
        elif now - start >= self._next.get(label, PATIENCE) and done < total:
            self._next[label] = 2 * (now - start)
            remaining = (now - start) / (done - before) * (total - done)
            sys.stderr.write(f"{label}: {done:,} of {total:,}, about {in_time(remaining)} left; Ctrl+C ends it\n")


def in_time(seconds: float) -> str:
    """A length of time to two figures: 40 s, 3 min, 2.5 h."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:,.{0 if seconds >= 10 * size else 1}f} {unit}"
    return f"{seconds:.0f} s"


@contextmanager
def progress_bar() -> Iterator[None]:
    """Show how far loops are and how long they take: a bar where a person watches, a line now and then elsewhere."""
    from tqdm import tqdm

    from interp.core.progress import reporting

    if not sys.stderr.isatty():
        with reporting(ProgressLines()):
            yield
        return
    bars: dict[str, tqdm] = {}

    def report(label: str, done: int, total: int) -> None:
        if label not in bars:  # what was done before does not count into the rate
            where = {"file": sys.stderr, "leave": False, "unit_scale": total > 9999}
            bars[label] = tqdm(desc=label, total=total, initial=done, **where)
        bars[label].update(done - bars[label].n)

    try:
        with reporting(report):
            yield
    finally:
        for bar in bars.values():
            bar.close()


def write(result: "Result", form: str, per_prompt: bool, table: str | None = None) -> None:
    """Print a result in one of `FORMATS`: means over comparable prompts, or every prompt's own numbers."""
    if form == "none":
        return
    if form == "html":
        from interp import views

        sys.stdout.write(views.to_html(result, **({} if table is None else {"show": table})))
        return
    is_mean = result.data.sizes.get("batch", 1) > 1 and result.is_comparable and not per_prompt
    write_frame(result.summary(table) if is_mean else result.to_frame(table), form)


def write_frame(frame: "pd.DataFrame", form: str) -> None:
    """Print a table as CSV, or as JSON with a record a row."""
    if form == "csv":
        # A lone carriage return ends a line for whoever reads it, and pandas quotes only what ends its own lines.
        returns = any("\r" in str(word) for name in frame.select_dtypes("object") for word in frame[name].unique())
        frame.to_csv(sys.stdout, index=False, quoting=csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL)
    else:
        frame.to_json(sys.stdout, orient="records", lines=True, force_ascii=False, double_precision=15)
