"""Compute the results packaged for the default model, so that the dashboard's pages open at once.

    python -m analyses.shipped [--missing]

Replaces what is packaged under the hash of the weights, or adds what is missing: the results over the standard
library's documentation that the pages Layers, Geometry, Heads and Features show, the position parts, and the cards of
the packaged dictionary.
"""

import gzip
import shutil
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from interp_dashboard.pages import PAGES
from interp_dashboard.state import state

import interp
from analyses.reporting import progress
from interp.core.options import parse_options
from interp.core.result import Result
from interp.engines import PACKED, find, is_packaged, precomputed
from interp.geometry.positions.parts import PARTS, Parts, PositionOptions
from interp.models import HookedModel
from interp.models.sources import shipped_folder

CARDS = "cards"


def page_results(model: HookedModel) -> dict[str, dict[str, Any]]:
    """The engines that the pages run over a corpus, with their options."""
    views = [(page, page.suit(model, state(page.state, {"layer": 0, "head": 0}))) for page in PAGES]
    calls = [
        work
        for page, view in views
        for content in page.contents
        for call in content.calls(model, view).values()
        for work in (*call.inner, call)
    ]
    requests = [dict(call.arguments) for call in calls if call.engine is precomputed]
    return {arguments.pop("engine"): arguments for arguments in requests}


def portable_result(model: HookedModel, engine: str, options: dict[str, Any], folder: Path) -> Result:
    """One result, without local paths."""
    result = precomputed(model, engine, **options)
    parsed = asdict(find(engine).parse_options(options))
    result = result.with_provenance(replace(result.provenance, options=parsed))
    if "folder" in result.data.attrs:
        shutil.copytree(result.data.attrs["folder"], folder / CARDS, dirs_exist_ok=True)
        result.data.attrs["folder"] = CARDS
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Recompute everything, or what is missing."""
    parser = ArgumentParser("python -m analyses.shipped", description=__doc__)
    parser.add_argument("--missing", action="store_true", help="keep what there is")
    missing = parser.parse_args(arguments).missing
    model = interp.load()
    folder = shipped_folder(model.weight_hash)
    if not missing:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    for engine, options in page_results(model).items():
        if is_packaged(model, engine):
            continue
        with progress(engine):
            path = portable_result(model, engine, options, folder).save(folder / engine)
        path.with_name(engine + PACKED).write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        path.unlink()
    if (folder / PARTS).is_file():
        return
    sums = {"statistics": interp.geometry.statistics(model)}
    parsed: PositionOptions = parse_options("shipped", PositionOptions, sums)
    Parts.asked(model, parsed).save(folder, model, parsed.windows)


if __name__ == "__main__":
    main()
