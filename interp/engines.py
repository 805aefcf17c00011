"""Every engine, whatever family it lives in, by name."""

from functools import cache

from interp.core.engine import EngineSpec
from interp.core.errors import EngineError


@cache
def all_engines() -> dict[str, EngineSpec]:
    """Engines by name, in the order in which a reader meets them; those that evaluate the others stand last."""
    from interp import attribution, circuits, dictionaries, evaluation, geometry, readout, tasks

    families = (readout, attribution, circuits, geometry, dictionaries, tasks, evaluation)
    return {spec.name: spec for family in families for spec in family.ENGINES}


def find(name: str) -> EngineSpec:
    """The engine of that name. Raises: EngineError that lists the ones there are."""
    engines = all_engines()
    if name not in engines:
        raise EngineError(f"there is no engine {name!r}; choose one of {', '.join(engines)}")
    return engines[name]
