"""Every engine, whatever family it lives in, by name; and the results that come with the package."""

import gzip
import json
from dataclasses import asdict
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from interp.core.engine import EngineSpec
from interp.core.errors import EngineError
from interp.core.folders import RunFile
from interp.core.options import parse_options
from interp.core.result import Result
from interp.models.hooked import HookedModel
from interp.models.sources import shipped_folder

PACKED = ".nc.gz"
FAMILIES = (
    "readout",
    "attribution",
    "circuits",
    "geometry",
    "flow",
    "patterns",
    "probing",
    "knowledge",
    "dictionaries",
    "directions",
    "tasks",
    "evaluation",
    "groundtruth",
)


@cache
def all_engines() -> dict[str, EngineSpec]:
    """Engines by name, in the order in which a reader meets them; those that evaluate the others stand last."""
    families = (import_module(f"interp.{family}") for family in FAMILIES)
    return {spec.name: spec for family in families for spec in family.ENGINES}


def engines_of_one_model() -> dict[str, EngineSpec]:
    """All but those that run over a collection of their own."""
    return {name: spec for name, spec in all_engines().items() if spec.collection is None}


def find(name: str) -> EngineSpec:
    """The engine of that name. Raises: EngineError that lists the ones there are."""
    engines = all_engines()
    if name not in engines:
        raise EngineError(f"there is no engine {name!r}; choose one of {', '.join(engines)}")
    return engines[name]


def precomputed(model: HookedModel, engine: str, **options: Any) -> Result:
    """What an engine gives without a prompt: the result that comes with the package, or else it is run.

    A result comes with the package for the default model only, and is taken where weights and options are the same; it
    was made by `python -m analyses.shipped`, over the documentation of the Python that ran that.
    Raises: EngineError, OptionError as the engine does; ResultError where the package's file is damaged.
    """
    spec = find(engine)
    settings = spec.parse_options(options)
    path = shipped_folder(model.weight_hash) / f"{engine}{PACKED}"
    if path.is_file():
        result = _unpack(path)
        there = result.provenance
        if there.weight_hash == model.weight_hash and there.options == json.loads(json.dumps(asdict(settings))):
            if "folder" in result.data.attrs:
                result.data.attrs["folder"] = str(path.parent / result.data.attrs["folder"])
            return result
    return spec(model, **options | _sums(model, settings))


def is_packaged(model: HookedModel, engine: str) -> bool:
    """Whether a result of that engine on this model comes with the package."""
    return (shipped_folder(model.weight_hash) / f"{engine}{PACKED}").is_file()


def _unpack(path: Path) -> Result:
    """The result in a compressed file, which is a third as long."""
    with TemporaryDirectory() as folder:
        plain = Path(folder, path.stem)
        with RunFile(path).reading(path, "install interp anew"):
            plain.write_bytes(gzip.decompress(path.read_bytes()))
        return Result.load(plain)


def _sums(model: HookedModel, options: Any) -> dict[str, Any]:
    """The sums in the cache as an option, for an engine that can read them."""
    from interp.geometry import statistics
    from interp.geometry.positions.parts import PositionOptions

    if not isinstance(options, PositionOptions) or options != parse_options(
        "", PositionOptions, {"windows": options.windows}
    ):
        return {}
    return {"statistics": statistics(model, options.windows)}
