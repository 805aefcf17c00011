"""Running the command line in this process."""

import io
from typing import NamedTuple

import pandas as pd
import pytest

from interp.checks.contract import QUICK
from interp.cli import main


class Printed(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def table(self) -> pd.DataFrame:
        """The table on standard output, its words left as they are."""
        return pd.read_csv(io.StringIO(self.out), keep_default_na=False, na_values=[""])


@pytest.fixture
def interp(capsys):
    """Run a command line here; its exit code and what it wrote."""

    def run(*arguments: object) -> Printed:
        code = main([str(argument) for argument in arguments])
        return Printed(code, *capsys.readouterr())

    return run


@pytest.fixture
def printed(interp, checkpoint, tiny):
    """Run an engine on the tiny Llama; it has to succeed."""
    tiny("llama")  # which makes its dictionary

    def run(engine: str, *arguments: object) -> Printed:
        quick: list[object] = []
        for option, value in QUICK.get(engine, {}).items():
            quick += [f"--{option.replace('_', '-')}", *(value if isinstance(value, tuple) else (value,))]
        found = interp("run", engine, "--model", checkpoint("llama"), *arguments, *quick)
        assert found.code == 0, found.err
        return found

    return run
