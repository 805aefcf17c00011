"""What the commands share: one-line errors, the model's flags and loading, the progress bar, printing a result."""

import argparse
import dataclasses
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging import ERROR, getLogger
from typing import TYPE_CHECKING, Any, NoReturn

from interp.core.errors import OptionError

if TYPE_CHECKING:
    import pandas as pd

    from interp.core.result import Result
    from interp.models import HookedModel

FORMATS = ("csv", "json", "html", "none")
CORPUS = "stdlib, a file or folder (txt, md, jsonl, parquet; PATH:COLUMN), or hf:NAME[:CONFIG[:SPLIT[:COLUMN]]]"


class Parser(argparse.ArgumentParser):
    """argparse with one-line errors and no guessing of shortened flags."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Refuse. Raises: OptionError."""
        raise OptionError(f"{message}; see `{self.prog} --help`")


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """The model, its precision and its device."""
    parser.add_argument("--model", default="smollm2-135m", help="packaged name, Hugging Face id, folder or GGUF file")
    parser.add_argument("--dtype", default="float32", help="float32, float64, bfloat16 or float16")
    parser.add_argument("--device", help="where to run; by default a GPU if there is one")
    parser.add_argument("--verbose", action="store_true", help="show the libraries' own logs")


def add_options(group: Any, options: type, taken: set[str]) -> None:
    """A flag for each option. pydantic reads the text later, so that flags, form and library refuse alike."""
    from pydantic import TypeAdapter

    described = TypeAdapter(options).json_schema().get("properties", {})
    for option in dataclasses.fields(options):
        if option.name in taken:
            continue
        schema = described[option.name]
        default = schema.get("default")
        text = f"{schema.get('description', '')} (default: {'none' if default in (None, []) else default})"
        flag, kind = "--" + option.name.replace("_", "-"), schema.get("type")
        if kind == "boolean" or {"type": "boolean"} in schema.get("anyOf", ()):
            group.add_argument(flag, dest=option.name, action=argparse.BooleanOptionalAction, default=None, help=text)
        elif kind == "array":
            group.add_argument(flag, dest=option.name, nargs="*", metavar="VALUE", help=text)
        else:
            choices = "{" + ",".join(schema["enum"]) + "}" if "enum" in schema else "VALUE"
            group.add_argument(flag, dest=option.name, metavar=choices, help=text)


def whole(least: int) -> Callable[[str], int]:
    """Reads a whole number that is not smaller than `least`."""

    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    number.__name__ = "int"  # as argparse calls it where the text is no number
    return number


def load_model(chosen: argparse.Namespace) -> "HookedModel":
    """The model that the flags name."""
    from interp.models import load

    quiet_libraries(chosen.verbose)
    return load(chosen.model, dtype=chosen.dtype, device=chosen.device)


def quiet_libraries(verbose: bool) -> None:
    """Keep what libraries log off standard error, unless it is asked for."""
    if not verbose:
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        for name in ("datasets", "huggingface_hub"):
            getLogger(name).setLevel(ERROR)


@contextmanager
def progress_bar() -> Iterator[None]:
    """Show how far loops are, how fast they go and how long they take, where a person watches."""
    from tqdm import tqdm

    from interp.core.progress import reporting

    bars: dict[str, tqdm] = {}

    def report(label: str, done: int, total: int) -> None:
        if label not in bars:  # what was done before does not count into the rate
            where = {"file": sys.stderr, "leave": False, "disable": None, "unit_scale": total > 9999}
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
    averaged = result.data.sizes.get("batch", 1) > 1 and result.is_comparable and not per_prompt
    write_frame(result.summary(table) if averaged else result.to_frame(table), form)


def write_frame(frame: "pd.DataFrame", form: str) -> None:
    """Print a table as CSV, or as JSON with a record a row."""
    if form == "csv":
        frame.to_csv(sys.stdout, index=False)
    else:
        frame.to_json(sys.stdout, orient="records", lines=True, force_ascii=False, double_precision=15)
