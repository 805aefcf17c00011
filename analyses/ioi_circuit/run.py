"""Find, test and describe the circuit: `python -m analyses.ioi_circuit.run --help`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import interp
from analyses.circuit_study import (
    accuracy,
    attention_at,
    clear,
    curve_table,
    edge_effects,
    evidence_table,
    gap,
    head_effects,
    head_scores,
    into,
    measure,
    named,
)
from analyses.ioi_circuit.roles import Findings, places, role_of, roles_table
from analyses.reporting import fill, photograph, progress, share, write_page
from interp import tasks, views

HERE = Path(__file__).parent
MOVERS, INHIBITORS = 4, 6  # heads that the next round of path patching goes into


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study, or go on with it: parts that are in the folder already are read from there."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--model", default="smollm2-135m", help="packaged name, Hugging Face id or folder")
    parser.add_argument("--n", type=int, default=16, help="prompt pairs")
    parser.add_argument("--seed", type=int, default=0, help="seed of the prompts")
    parser.add_argument("--edges", type=int, default=1000, help="edges of the circuit whose evidence is measured")
    parser.add_argument("--out", type=Path, default=Path("results/ioi_circuit"), help="folder of results and pages")
    parser.add_argument("--readme", type=Path, default=HERE / "README.md", help="document that takes the tables")
    parser.add_argument("--pictures", action="store_true", help="take pictures of the figures with Chromium")
    chosen = parser.parse_args(arguments)

    folder = chosen.out / f"n{chosen.n}-seed{chosen.seed}"
    model = interp.load(chosen.model)
    pairs = tasks.ioi(model, n=chosen.n, seed=chosen.seed)
    clean, corrupted = gap(model, pairs)
    least = 0.02 * abs(clean[0] - corrupted[0])
    with progress("path patching", "patching z", "evidence"):
        found = measure(model, pairs, folder, edges=chosen.edges)
        direct = edge_effects(found.direct, model)
        movers = [index for index in clear(direct, "score", least).index if direct.loc[index, "score"] < 0][:MOVERS]
        queries = edge_effects(into(model, pairs, folder, "queries", [f"q{named(m)}" for m in movers]), model)
        inhibitors = list(clear(queries, "score", least).index[:INHIBITORS])
        group = model.dims.heads // model.dims.kv_heads
        keys = sorted({f"{kind}{layer}.{head // group}" for layer, head in inhibitors for kind in "kv"})
        inputs = edge_effects(into(model, pairs, folder, "inhibitors", keys), model)
    findings = Findings(
        total=head_effects(found.effects),
        direct=direct,
        queries=queries,
        inputs=inputs,
        attention=attention_at(model, pairs, places(pairs)).join(head_scores(model)),
        least=least,
    )
    text = [
        f"{accuracy(model, pairs)} prompts answered right; logit of the indirect object over the subject's "
        f"{share(*clean)} on clean prompts, {share(*corrupted)} on corrupted ones (seed {chosen.seed}).",
        roles_table(findings, role_of),
        f"**The circuit of the {chosen.edges:,} strongest edges by EAP-IG**",
        evidence_table(found.evidence),
        "**How many edges does it take?**",
        curve_table(found.evidence),
    ]
    fill(chosen.readme, "tables", "\n\n".join(text))
    pages = {
        "heads": write_page(views.figure(found.effects), folder / "heads.html"),
        "evidence": write_page(views.figure(found.evidence), folder / "evidence.html"),
    }
    for name, page in pages.items() if chosen.pictures else ():
        photograph(page, HERE / f"{name}.png")


if __name__ == "__main__":
    main()
