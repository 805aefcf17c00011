"""Models whose circuit is known, and how well every engine finds it.

Programs in RASP that tracr compiled into ordinary hooked models (`rasp/`), transformers trained to have the circuit of
one (`siit/`), and discrete transformers that were learned (`programs/`).

model = interp.groundtruth.load("reverse")  # or interp.load("rasp/reverse"), everywhere
pairs = interp.tasks.program(model, n=16)
truth = interp.groundtruth.circuit("reverse", "effective")
interp.Circuit.of(interp.circuits.acdc(model, pairs, tau=1e-4)).shared_with(truth)
interp.groundtruth.scorecard(model)  # how well every engine finds it
interp.groundtruth.compile("same = select(tokens, tokens, ==); hist = selector_width(same);", "a b c")
"""

# ruff: noqa: F401 - what a reader meets
from interp.core.engine import records
from interp.core.signatures import public
from interp.groundtruth import siit, transformer_programs
from interp.groundtruth.from_rasp import compile, compiled_name, compiling_obstacle  # noqa: A004
from interp.groundtruth.packaged import score_of, scores
from interp.groundtruth.scorecard import collection, scorecard
from interp.groundtruth.truth import axes, circuit, known, load, names, program, selectors, source
from interp.groundtruth.variables import heads, selections, variables

ENGINES = records(globals())
__dir__ = public(globals())
