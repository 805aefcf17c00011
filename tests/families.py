"""Every engine on a tiny checkpoint of every family: `PYTHONPATH=tests python -m families` writes docs/models.md."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ["HF_HUB_OFFLINE"] = "1"

from configurations import CONFIGURATIONS
from tiny import FAMILIES, MIXTURES, Family, write_dictionary, write_family

import interp
from interp.checks.exactness import Finding, check
from interp.cli.shared import quiet_libraries
from interp.core.errors import InterpError
from interp.engines import engines_of_one_model

PAGE = Path(__file__).parents[1] / "docs" / "models.md"
HEAD = """# What holds on which family

Tiny random checkpoints of three layers in float64, each loaded beside Hugging Face's own model, then every engine on it
by `interp models check`: {engines} engines, each prompt of a batch beside itself alone, remainders, rows of patterns,
the last lens, heads and edges patched plainly. Exact means to 1e-6 of a number's size; what is printed is the largest
difference of all engines. What is in no column could not be run, for instance for want of a site that a dictionary
reads; why stands below. Made by `make families`.

| family | engines exact | largest difference | refused | not exact |
|---|---|---|---|---|
"""


def all_families() -> dict[str, Family]:
    """The families of the contract tests, and the configurations beside them."""
    return FAMILIES | MIXTURES | {name: case.family for name, case in CONFIGURATIONS.items()}


def findings(family: Family, folder: Path, engines: list[str] | None = None) -> list[Finding]:
    """What each engine does on the family's checkpoint. Raises: InterpError if the model is refused as a whole."""
    path = str(write_family(family, folder / "checkpoint"))
    write_dictionary(interp.load(path), folder / "dictionaries" / "checkpoint-z1")
    specs = [spec for spec in engines_of_one_model().values() if engines is None or spec.name in engines]
    return list(check(interp.load(path, dtype="float64"), specs))


def row(name: str, found: list[Finding]) -> str:
    """One line of the table."""
    by = {outcome: [each for each in found if each.outcome == outcome] for outcome in ("exact", "refused", "failed")}
    largest = max((each.largest for each in by["exact"]), default=0.0)
    words = [", ".join(each.engine for each in by[outcome]) or "–" for outcome in ("refused", "failed")]
    return f"| {name} | {len(by['exact'])} of {len(found)} | {largest:.0e} | {' | '.join(words)} |"


def reasons(name: str, found: list[Finding]) -> Iterator[str]:
    """Why engines are refused or fail, those of one reason together."""
    groups: dict[str, list[str]] = {}
    for each in found:
        if each.reason or each.outcome == "not run":
            groups.setdefault(each.reason or each.said, []).append(each.engine)
    if groups:
        yield f"\n## {name}\n"
    for reason, engines in groups.items():
        yield f"- {', '.join(engines)}: {reason}"


def main() -> None:
    """Run all families, or those named, and write the page."""
    quiet_libraries(False)
    names = sys.argv[1:] or list(all_families())
    rows, more = [], []
    for name in names:
        with TemporaryDirectory() as folder:
            os.environ["INTERP_CACHE"] = folder
            try:
                found = findings(all_families()[name], Path(folder))
                rows.append(row(name, found))
                more += [line.replace(f"{folder}/checkpoint", "it") for line in reasons(name, found)]
            except InterpError as error:
                why = str(error).replace(f"{folder}/checkpoint", "it")
                rows.append(f"| {name} | not loaded | – | {why} | – |")
        sys.stderr.write(rows[-1] + "\n")
    if not sys.argv[1:]:
        PAGE.parent.mkdir(exist_ok=True)
        head = HEAD.format(engines=len(engines_of_one_model()))
        PAGE.write_text(head + "\n".join(rows) + "\n" + "\n".join(more) + "\n")


if __name__ == "__main__":
    main()
