"""Running the command line in this process."""

import io
from typing import NamedTuple

import pandas as pd
import pytest
from asking import family_for

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
    """Run an engine on a tiny model that it supports; it has to succeed."""

    def run(engine: str, *arguments: object) -> Printed:
        quick: list[object] = []
        for option, value in QUICK.get(engine, {}).items():
            quick += [f"--{option.replace('_', '-')}", *(value if isinstance(value, tuple) else (value,))]
        family = family_for(engine, tiny)  # which makes its dictionary
        found = interp("run", engine, "--model", checkpoint(family), *arguments, *quick)
        assert found.code == 0, found.err
        return found

    return run
