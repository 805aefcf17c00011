"""`make bench`: every row of every benchmark, over one copy of the default model."""

import sys

import interp
from analyses.benchmarks import attribution, circuits, dashboard, dictionaries, engines, feature_cards, geometry

if __name__ == "__main__":
    model = interp.load()
    for benchmark in (engines, attribution, circuits, geometry, dictionaries, feature_cards, dashboard):
        for row in benchmark.rows(model):
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()
