"""`make bench`: every row of every benchmark, or of those that are named, over one copy of the default model."""

import argparse
import sys

import interp
from analyses.benchmarks import (
    attribution,
    circuits,
    dashboard,
    dictionaries,
    engines,
    feature_cards,
    first_views,
    flow,
    geometry,
    states,
)

MODULES = (
    engines,
    attribution,
    circuits,
    geometry,
    flow,
    states,
    dictionaries,
    feature_cards,
    first_views,
    dashboard,
)
BENCHMARKS = {module.__name__.rpartition(".")[2]: module for module in MODULES}

if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m analyses.benchmarks", description=__doc__)
    parser.add_argument("benchmarks", nargs="*", choices=[*BENCHMARKS, "all"], default="all", help="which; all if none")
    selection = parser.parse_args().benchmarks
    model = interp.load()
    for name in BENCHMARKS if "all" in selection else selection:
        for row in BENCHMARKS[name].rows(model):
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()
