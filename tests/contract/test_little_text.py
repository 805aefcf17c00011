"""Little text is the text's fault: an engine that reads a corpus says so in one line, or measures what is there."""

from dataclasses import fields

import pytest
from asking import family_for

from interp import engines
from interp.checks.contract import QUICK
from interp.core.errors import InterpError
from interp.core.prompts import Prompts

READERS = [spec.name for spec in engines.all_engines().values() if spec.default_prompts and spec.asks != "required"]
TEXTS = {"a token": [[5]], "two tokens": [[5, 7]], "a token each": [[5], [7], [9]], "too much skipped": [[5, 7, 9, 11]]}


@pytest.mark.filterwarnings("error:invalid value", "error:divide by zero", "error:Mean of empty")
@pytest.mark.parametrize("tokens", TEXTS)
@pytest.mark.parametrize("engine", READERS)
def test_weights_are_not_blamed(engine, tokens, tiny):
    spec = engines.find(engine)
    model = tiny(family_for(engine, tiny))
    skips = {"skip", "first_query"} & {field.name for field in fields(spec.options)}
    options = QUICK.get(engine, {}) | (dict.fromkeys(skips, 1000) if tokens == "too much skipped" else {})
    error = ""
    try:
        spec(model, Prompts.of_tokens(model, TEXTS[tokens]), **options)
    except InterpError as refusal:
        error = str(refusal)
    assert not any(words in error for words in ("largest weight", "\n", " 1 tokens"))


@pytest.mark.parametrize("engine", ["bilinear-reading", "rank-one-edit"])
def test_a_fit_of_no_token(engine, tiny):
    """What is fitted to a corpus beside the prompts is refused too, rather than taken as zero."""
    ask = {"target": " Mary", "contrast": " John", "subject": "keys"}
    names = {field.name for field in fields(engines.find(engine).options)} | {"target", "contrast"}
    with pytest.raises(InterpError, match="no token is left after the first 60 positions"):
        engines.find(engine)(
            tiny("llama"), "The keys", **{name: ask[name] for name in ask if name in names}, skip=60, length=20,
        )  # fmt: skip
