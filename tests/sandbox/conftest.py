"""A short training of each task, made once."""

import pytest
from sandbox_runs import SHORT, SMALL

from interp.sandbox import find, train


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "induction"
    train(find("induction"), folder, SHORT | SMALL | {"tokens": 6, "positions_read": 8, "mlp": "gelu"})
    return folder
