"""Find the features, ablate them, test what they represent, write the tables: `python -m … .run --help`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import interp
from analyses.attention_features.checks import (
    check_features,
    checks_table,
    effects_figure,
    steered_table,
    together,
    together_table,
)
from analyses.attention_features.layer import Layer
from analyses.attention_features.origins import cards_table, follows_table, sources_table
from analyses.attention_features.site import attribute, site_table, totals
from analyses.reporting import fill, photograph, progress, share, write_page
from interp import tasks
from interp.core.intervals import bootstrap_mean
from interp.dictionaries import attached
from interp.dictionaries.features.logit_weights import head_weights

HERE = Path(__file__).parent
HEAD = 0  # of layer 20: the S-inhibition head that analyses/ioi_circuit found


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study and fill the document's tables."""
    options = _parser().parse_args(arguments)
    model = interp.load(options.model)
    pairs = tasks.ioi(model, n=options.n, seed=options.seed)
    layer = Layer(model, pairs, attached(model, options.dictionary))
    weights = head_weights(layer.dictionary)
    assert weights is not None
    own = [feature for feature, heads in enumerate(weights.tolist()) if np.argmax(heads) == HEAD]
    with progress("features", "feature-ablation: controls", "harvest"):
        attribution = attribute(model, pairs, options.dictionary, options.steps)
        features = attribution.strongest(options.features)
        rows = check_features(layer, attribution, features, options.dictionary, options.draws)
        joint = together(layer, own, HEAD, options.seed, options.draws)
        first = features[0]
        parts = [
            f"**The site** ({options.n} IOI pairs, seed {options.seed}; {layer.dictionary.site} read by "
            f"{layer.dictionary.sae.cfg.d_sae:,} features; corrupted prompts repeat the other name)",
            site_table(layer, HEAD),
            totals(layer, attribution, options.steps),
            "**The features with the largest mean effect**, estimated with the value of the corrupted prompt",
            cards_table(model, attribution, features, weights, options.dictionary, options.windows),
            "**What they follow** at the answer, in four prompts a pair: each name repeated, in both orders",
            follows_table(layer, features, own, HEAD),
            "**Where they come from**: DFA at the answer, on the clean prompts where the feature is active there",
            sources_table(model, pairs, features, options.dictionary, HEAD),
            "**Truly changed, one by one** (negative: the answer loses)",
            checks_table(rows, layer),
            f"**Feature {first} added** at the answer, by what it has where it is active",
            steered_table(layer, first, options.dictionary, options.draws),
            f"**Head {layer.site.layer}.{HEAD} and all {len(own)} features whose strongest head it is**",
            together_table(joint),
        ]
    fill(options.readme, "tables", "\n\n".join(parts))
    figure = effects_figure(rows, joint, share(*bootstrap_mean(layer.clean)))
    page = write_page(figure, options.out / "features.html")
    if options.pictures:
        photograph(page, HERE / "figure.png")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--model", default="smollm2-135m", help="packaged name, Hugging Face id or folder")
    parser.add_argument(
        "--dictionary", default="", help="of attention outputs; by default the first known for the model"
    )
    parser.add_argument("--n", type=int, default=24, help="IOI pairs")
    parser.add_argument("--features", type=int, default=6, help="features that are looked at, the strongest")
    parser.add_argument("--steps", type=int, default=8, help="gradients between the two runs for the estimate")
    parser.add_argument("--draws", type=int, default=8, help="other features that each is compared with")
    parser.add_argument("--windows", type=int, default=64, help="windows of text for the features' cards")
    parser.add_argument("--seed", type=int, default=0, help="seed of prompts and controls")
    parser.add_argument("--out", type=Path, default=Path("results/attention_features"), help="folder of the figure")
    parser.add_argument("--pictures", action="store_true", help="take a picture of the figure with Chromium")
    parser.add_argument("--readme", type=Path, default=HERE / "README.md", help="document that takes the tables")
    return parser


if __name__ == "__main__":
    main()
