"""RelP and attribution patching compared with patching itself: `python -m analyses.relevance_patching.run --help`."""

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import interp
from analyses.keeping import load_or_make
from analyses.reporting import fill, markdown, progress
from interp import circuits, tasks
from interp.kinds import Effects

README = Path(__file__).with_name("README.md")
SITES = {"resid_pre": "stream", "attn_out": "attention", "mlp_out": "MLP"}
ESTIMATES = {
    "AtP": (circuits.attribution_patching, {}),
    "RelP": (circuits.relp, {}),
    "RelP, pattern constant": (circuits.relp, {"attention": "values"}),
}
PUBLISHED = {"stream": ("0.753", "0.968"), "attention": ("0.979", "0.962"), "MLP": ("0.195", "0.992")}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, or load what was measured, and write the table of the README."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2-135m", help="default: %(default)s")
    parser.add_argument("--n", type=int, default=8, help="IOI pairs; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of the prompts; default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("results/relevance_patching"), help="default: %(default)s")
    parser.add_argument("--readme", type=Path, default=README, help="document that takes the table")
    options = parser.parse_args(arguments)
    folder = options.out / f"n{options.n}-seed{options.seed}"
    folder.mkdir(parents=True, exist_ok=True)
    model = interp.load(options.model)
    pairs = tasks.ioi(model, n=options.n, seed=options.seed)
    rows = []
    with progress("patching"):
        for site, name in SITES.items():
            settings = {"site": site, "direction": "denoising", "by_position": True}
            patched = load_or_make(
                folder / f"{site}.nc",
                Effects,
                model,
                pairs,
                lambda settings=settings: circuits.activation_patching(model, pairs, **settings),
            )
            found = [
                f"{correlation(patched, engine(model, pairs, **settings, **more)):.3f}"
                for engine, more in ESTIMATES.values()
            ]
            rows.append([name, *found, *PUBLISHED[name]])
    fill(options.readme, "table", markdown(["site", *ESTIMATES, "published, AtP", "published, RelP"], rows))


def correlation(patched: Effects, estimate: Effects) -> float:
    """Pearson's correlation over layers and positions of the means over prompts."""
    one, other = (result.values().mean("batch").values.ravel() for result in (patched, estimate))
    there = np.isfinite(one) & np.isfinite(other)
    return float(np.corrcoef(one[there], other[there])[0, 1])


if __name__ == "__main__":
    main()
