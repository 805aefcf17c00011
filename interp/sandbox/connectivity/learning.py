"""Which graphs a disentangled transformer solves at every step of its training, and by which channel."""

import numpy as np
import torch

from interp.kinds import ConnectivityLearning
from interp.sandbox.connectivity.graphs import FAMILIES, Graphs, diameters
from interp.sandbox.connectivity.lesson import ConnectivityLesson, right
from interp.sandbox.connectivity.model import Disentangled, channels
from interp.sandbox.lessons import Run
from interp.sandbox.reading import over_steps, result_of

_RANDOM = 4096  # graphs, sorted by diameter


@torch.no_grad()
def connectivity_learning(run: Run, lesson: ConnectivityLesson) -> ConnectivityLearning:
    """Exact match by family and by diameter, and the split of every block of weights, at every step.

    Source: 2510.19753.
    """
    options, tests = lesson.options, lesson.tests
    sparse = Graphs(nodes=options.graphs.nodes, least=0.02, most=0.4).draw(_RANDOM, torch.Generator().manual_seed(2))
    lengths = diameters(sparse)

    def read(model: Disentangled) -> dict[str, np.ndarray]:
        correct = right(model, sparse).double()
        split = [channels(block) for block in model.blocks().values()]
        return {
            "solved": np.array([float(right(model, tests[name]).double().mean()) for name in FAMILIES]),
            "solved_by_diameter": np.array(
                [float(correct[lengths == length].mean()) for length in range(options.graphs.nodes)]
            ),
            "heuristic": np.array([each["heuristic"] for each in split]),
            "explained": np.array([each["explained"] for each in split]),
            "identity_weight": np.array([each["a"] for each in split]),
            "constant_weight": np.array([each["b"] for each in split]),
        }

    steps, values = over_steps(run, lesson, read)
    limit = options.graphs.diameter
    data = f"diameter at most {limit}" if limit else "any diameter"
    return result_of(
        ConnectivityLearning,
        "connectivity-learning",
        values,
        measured=f"graphs of {options.graphs.nodes} nodes; {options.layers} layers reach diameter {3**options.layers}; "
        f"trained on graphs of {data}",
        lesson=lesson,
        model=run.path.name,
        step=steps,
        family=list(FAMILIES),
        block=list(lesson.model().blocks()),
    )
