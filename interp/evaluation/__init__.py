"""How far an attribution can be trusted: faithfulness, agreement, and scores where the evidence is known.

The engines `faithfulness`, `agreement` and `sva_benchmark` evaluate every attribution method that there is; the
functions `faithfulness_of`, `agreement_of` and `evidence_scores` evaluate any relevance, of whatever origin.
"""

from collections.abc import Sequence
from importlib import import_module

from interp.core.engine import EngineSpec
from interp.evaluation.benchmark import markdown_table, sva_benchmark_spec
from interp.evaluation.deletion import faithfulness_of, faithfulness_spec
from interp.evaluation.evidence import evidence_scores
from interp.evaluation.ranking import agreement_of, agreement_spec

__all__ = [
    "agreement_of",
    "engines",
    "evidence_scores",
    "faithfulness_of",
    "markdown_table",
]

_ENGINES = ("faithfulness", "agreement", "sva-benchmark")


def engines(methods: Sequence[EngineSpec]) -> tuple[EngineSpec, ...]:
    """The engines of this family, over these attribution methods."""
    return faithfulness_spec(methods), agreement_spec(methods), sva_benchmark_spec(methods)


def __getattr__(name: str) -> EngineSpec:
    """An engine by name; by name too is it looked up, since where methods and evaluation meet stands above both."""
    if name.replace("_", "-") in _ENGINES:
        return import_module("interp.engines").find(name.replace("_", "-"))
    raise AttributeError(f"module 'interp.evaluation' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *(name.replace("-", "_") for name in _ENGINES)])
