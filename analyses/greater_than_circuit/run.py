"""Find, test and describe the circuit: `python -m analyses.greater_than_circuit.run --help`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

import interp
from analyses.circuit_study import (
    Places,
    accuracy,
    attention_at,
    clear,
    edge_effects,
    gap,
    head_effects,
    head_name,
    into,
    measure,
    parser,
    report,
)
from analyses.reporting import markdown, progress, share
from interp import tasks
from interp.core.prompts import PromptPairs
from interp.kinds import EdgeScores, Effects

HERE = Path(__file__).parent
WRITERS = 4  # MLPs with the strongest direct effect, whose inputs the next round patches


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study, or resume it: parts already in the folder are loaded from there."""
    options = parser(__doc__, HERE).parse_args(arguments)
    folder = options.out / f"n{options.n}-seed{options.seed}"
    model = interp.load(options.model)
    pairs = tasks.greater_than(model, n=options.n, seed=options.seed)
    clean, corrupted = gap(model, pairs)
    least = 0.02 * abs(clean[0] - corrupted[0])
    with progress("path patching", "patching z", "evidence"):
        measurements = measure(model, pairs, folder, edges=options.edges)
        writers = mlp_effects(measurements.direct)
        strongest = [str(name) for name in writers.index[writers["score"] < -least][:WRITERS]]
        inputs = into(model, pairs, folder, "mlps", strongest)
    heads = heads_table(
        head_effects(measurements.effects),
        edge_effects(measurements.direct, model),
        edge_effects(inputs, model),
        attention_at(model, pairs, places(pairs)),
        least,
    )
    parts = [
        f"{accuracy(model, pairs)} prompts answered right; probability of digits that make the span end later, less "
        f"that of the others: {share(*clean)} on clean prompts, {share(*corrupted)} on corrupted ones (seed "
        f"{options.seed}).",
        f"**Heads** (third number: through {', '.join(strongest) or 'no MLP'})",
        heads,
        "**MLPs**",
        mlps_table(measurements.mlps, writers, least),
    ]
    report(measurements, parts, options, folder, HERE)


def places(pairs: PromptPairs) -> Mapping[str, Places]:
    """From the answer position: the deciding digit of the start, its last digit, its century, the noun."""
    metric = pairs.metric
    assert metric is not None
    assert metric.positions is not None
    positions: dict[str, list[tuple[int, int]]] = {
        name: [] for name in ("deciding digit", "last digit", "century", "noun")
    }
    for row, tokens in enumerate(pairs.clean.labels):
        differ = (pairs.clean.tokens[row] != pairs.corrupted.tokens[row]).nonzero().flatten().tolist()
        ends = (differ[0], differ[-1], differ[0] - 1, tokens.index(" lasted") - 1)
        for name, key in zip(positions, ends, strict=True):
            positions[name].append((metric.positions[row], key))
    return positions


def mlp_effects(direct: EdgeScores) -> pd.DataFrame:
    """Direct effect of every MLP, the most helpful first."""
    frame: Any = direct.summary().set_index("sender")
    return frame[frame.index.str.startswith("m")].sort_values("score")


def heads_table(total: Any, direct: Any, inputs: Any, attention: Any, least: float) -> str:
    """Heads that act on the answer in one of the measured ways, the largest total effect first."""
    tables = ((total, "effect"), (direct, "score"), (inputs, "score"))
    heads = {index for table, name in tables for index in clear(table, name, least).index}
    rows = []
    for head in sorted(heads, key=lambda head: -abs(total.loc[head, "effect"])):
        numbers: list[Any] = [table.loc[head] for table, _ in tables]
        cells = [
            "" if pd.isna(row[name]) else share(row[name], row[f"{name}_low"], row[f"{name}_high"])
            for row, (_, name) in zip(numbers, tables, strict=True)
        ]
        looks = ", ".join(f"{name} {value:.2f}" for name, value in attention.loc[head].items() if value > 0.1)
        rows.append([head_name(head), *cells, looks or "–"])
    return markdown(["head", "total effect", "direct effect", "through the MLPs", "looks at (mean attention)"], rows)


def mlps_table(effects: Effects, direct: pd.DataFrame, least: float) -> str:
    """MLPs whose total or direct effect is at least `least`."""
    frame: Any = effects.summary().set_index("layer")
    rows = []
    for layer, row in frame.iterrows():
        own: Any = direct.loc[f"m{layer}"]
        if max(abs(row["effect"]), abs(own["score"])) >= least:
            total = share(row["effect"], row["effect_low"], row["effect_high"])
            rows.append([f"m{layer}", total, share(own["score"], own["score_low"], own["score_high"])])
    return markdown(["MLP", "total effect", "direct effect"], rows)


if __name__ == "__main__":
    main()
