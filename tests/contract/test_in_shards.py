"""An engine's sums are the same however they are shared out, and kept for each model and text that it reads."""

import pytest
from asking import family_for

from interp import corpus, engines
from interp.checks.contract import QUICK, distance, pairs_of
from interp.core.prompts import Prompts

READERS = [spec.name for spec in engines.all_engines().values() if spec.default_prompts and spec.asks != "required"]
WITH = {"depth-ranking": {"other": "stdlib"}}  # reads two texts
ROUNDING = 1e-4


@pytest.mark.parametrize("engine", READERS)
def test_shards_of_one_window(engine, tiny, tmp_path):
    spec = engines.find(engine)
    model = tiny(family_for(engine, tiny))
    row = pairs_of(model, even=True).clean.tokens.tolist()
    prompts = Prompts.of_tokens(model, [row[0], row[1], row[0][::-1], row[1][::-1]])
    options = QUICK.get(engine, {}) | WITH.get(engine, {})
    plain = spec(model, prompts, **options)
    for _ in range(2):  # measured, and read again
        with corpus.job(folder=tmp_path, shard=1):
            again = spec(model, prompts, **options)
        assert distance(_without_controls(again), _without_controls(plain)) < ROUNDING


def _without_controls(result):
    """A control may draw in a basis that few tokens leave open. Controls come last."""
    return result.data.isel(arrangement=0) if "arrangement" in result.data.dims else result.data
