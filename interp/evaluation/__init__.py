"""How far an attribution can be trusted: faithfulness, agreement, and scores where the evidence is known.

The engines `faithfulness`, `agreement` and `sva_benchmark` evaluate every attribution method that there is; the
functions `faithfulness_of`, `agreement_of` and `evidence_scores` evaluate any relevance, of whatever origin.
"""

# ruff: noqa: F401, I001 - the order of these lines is the one in which a reader meets the engines
from interp.evaluation.data_set import DataSetMean, mean_over
from interp.evaluation.deletion import faithfulness, faithfulness_of
from interp.evaluation.ranking import agreement, agreement_of
from interp.evaluation.benchmark import markdown_table, sva_benchmark
from interp.evaluation.evidence import evidence_scores
from interp.core.engine import records
from interp.core.signatures import public

ENGINES = records(globals())
__dir__ = public(globals())
