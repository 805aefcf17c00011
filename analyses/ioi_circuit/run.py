"""Find, test and describe the circuit: `python -m analyses.ioi_circuit.run --help`."""

from collections.abc import Sequence
from pathlib import Path

import interp
from analyses.circuit_study import (
    accuracy,
    attention_at,
    clear,
    edge_effects,
    gap,
    head_effects,
    head_name,
    head_scores,
    into,
    measure,
    parser,
    report,
)
from analyses.ioi_circuit.roles import Findings, places, role_of, roles_table
from analyses.reporting import progress, share
from interp import tasks

HERE = Path(__file__).parent
MOVERS, INHIBITORS = 4, 6  # heads whose inputs the next round patches


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study, or resume it: parts already in the folder are loaded from there."""
    options = parser(__doc__, HERE).parse_args(arguments)
    folder = options.out / f"n{options.n}-seed{options.seed}"
    model = interp.load(options.model)
    pairs = tasks.ioi(model, n=options.n, seed=options.seed)
    clean, corrupted = gap(model, pairs)
    least = 0.02 * abs(clean[0] - corrupted[0])
    with progress("path patching", "patching z", "evidence"):
        measurements = measure(model, pairs, folder, edges=options.edges)
        direct = edge_effects(measurements.direct, model)
        movers = [index for index in clear(direct, "score", least).index if direct.loc[index, "score"] < 0][:MOVERS]
        queries = edge_effects(into(model, pairs, folder, "queries", [f"q{head_name(m)}" for m in movers]), model)
        inhibitors = list(clear(queries, "score", least).index[:INHIBITORS])
        group = model.dims.heads // model.dims.kv_heads
        keys = sorted({f"{kind}{layer}.{head // group}" for layer, head in inhibitors for kind in "kv"})
        inputs = edge_effects(into(model, pairs, folder, "inhibitors", keys), model)
    findings = Findings(
        total=head_effects(measurements.effects),
        direct=direct,
        queries=queries,
        inputs=inputs,
        attention=attention_at(model, pairs, places(pairs)).join(head_scores(model)),
        least=least,
    )
    parts = [
        f"{accuracy(model, pairs)} prompts answered right; logit of the indirect object over the subject's "
        f"{share(*clean)} on clean prompts, {share(*corrupted)} on corrupted ones (seed {options.seed}).",
        roles_table(findings, role_of),
    ]
    report(measurements, parts, options, folder, HERE)


if __name__ == "__main__":
    main()
