"""Patterns: what attention looks like at large, head by head, and what the model loses without it."""

# ruff: noqa: F401, I001 - the order of these lines is the one in which a reader meets the engines
from interp.patterns.attention_sinks import attention_sinks
from interp.patterns.attention_dispersion import attention_dispersion
from interp.patterns.attention_predicates import attention_predicates
from interp.patterns.head_redundancy import head_redundancy
from interp.patterns.attention_spectrum import attention_spectrum
from interp.patterns.lazy_layers import lazy_layers
from interp.patterns.head_cards import head_cards
from interp.patterns.head_text_spans import head_text_spans
from interp.core.engine import records
from interp.core.signatures import public

ENGINES = records(globals())
__dir__ = public(globals())
