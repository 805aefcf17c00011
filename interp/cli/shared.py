"""What the commands share: arguments with one-line errors, the model's flags and loading, the progress bar."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from logging import ERROR, getLogger
from typing import TYPE_CHECKING, Any, NoReturn

from interp.core.errors import OptionError

if TYPE_CHECKING:
    from interp.models import HookedModel


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
        bar = bars.setdefault(label, tqdm(desc=label, total=total, file=sys.stderr, leave=False, disable=None))
        bar.update(done - bar.n)

    try:
        with reporting(report):
            yield
    finally:
        for bar in bars.values():
            bar.close()
