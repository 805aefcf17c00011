"""The best circuit of a size in which nothing dangles, by integer linear programming."""

from typing import Any, cast

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import coo_array, vstack

from interp.core.errors import OptionError
from interp.core.graph import ComputationGraph

_SECONDS = 120.0
_CANDIDATES = 3000  # edges among which the circuit is sought
_GAP = 1e-2  # by which its sum may miss the bound where there are more edges than that


def best_connected(
    graph: ComputationGraph, strength: Float[np.ndarray, "sender receiver"], count: int
) -> Bool[np.ndarray, "sender receiver"]:
    """At most `count` edges, each on a path from `embed` to `logits`, whose strengths have the largest sum.

    A kept edge needs a kept edge into its sender and one out of what its receiver makes; where nothing reads what it
    makes itself, that is a path. In a graph of more than three thousand edges the sum may miss the largest by one per
    cent at most. Unknown: whether each edge is kept (0 or 1), and each node used (0 to 1).
    Raises: OptionError if none is found within two minutes.
    Source: Mueller et al. 2025 (MIB), where circuits are selected with the same constraints.
    """
    senders, receivers = np.nonzero(graph.present)
    edges, writers, readers = len(senders), len(graph.senders), len(graph.receivers)
    unknowns, every = edges + writers + readers, np.arange(edges)
    reads = edges + writers + receivers  # where the unknown of each edge's receiver stands
    writes = edges + senders

    def rows(row: np.ndarray, column: np.ndarray, value: float, count: int) -> coo_array:
        return coo_array((np.full(len(row), value), (row, column)), shape=(count, unknowns))

    # edge ≤ its sender, edge ≤ its receiver
    kept = [rows(every, every, 1, edges) + rows(every, ends, -1, edges) for ends in (writes, reads)]
    # a sender ≤ Σ edges into its receivers; a receiver ≤ Σ edges out of its senders
    into, of = np.nonzero(graph.feeds[receivers])
    fed = rows(np.arange(writers), edges + np.arange(writers), 1, writers) + rows(of, into, -1, writers)
    out, by = np.nonzero(graph.feeds.T[senders])
    led = rows(np.arange(readers), edges + writers + np.arange(readers), 1, readers) + rows(by, out, -1, readers)
    # `embed` needs nothing before it, `logits` nothing after
    limits = np.concatenate([np.zeros(2 * edges + writers + readers), [count]])
    limits[2 * edges] = limits[2 * edges + writers + readers - 1] = 1
    size = rows(np.zeros(edges, dtype=int), every, 1, 1)
    cost, matrix = -np.concatenate([strength[senders, receivers], np.zeros(writers + readers)]), [*kept, fed, led, size]
    constraints = vstack(matrix).tocsr()
    # Without whole numbers first, which is quick and bounds the sum. Whole numbers are then sought for the edges that
    # this keeps or would cost least to keep; in a small graph that is every edge.
    relaxed = linprog(cost, constraints, limits, bounds=(0, 1), method="highs-ds")
    dear = np.argsort(relaxed.lower.marginals[:edges], kind="stable")[_CANDIDATES:]
    most = np.ones(unknowns)
    most[dear] = 0
    solution = milp(
        cost,
        integrality=np.concatenate([np.ones(edges), np.zeros(writers + readers)]),
        bounds=Bounds(0, cast(Any, most)),
        constraints=LinearConstraint(constraints, -np.inf, cast(Any, limits)),
        options={"time_limit": _SECONDS, "mip_rel_gap": 0 if edges <= _CANDIDATES else _GAP / 10},
    )
    if not solution.success or (len(dear) and solution.fun - relaxed.fun > _GAP * abs(relaxed.fun)):
        raise OptionError(f"no best circuit of {count:,} edges was found in {_SECONDS:g} s; use top or greedy instead")
    mask = np.zeros(graph.present.shape, dtype=bool)
    mask[senders, receivers] = solution.x[:edges] > 0.5
    return mask
