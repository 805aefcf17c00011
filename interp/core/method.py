"""An engine with options, asked for by name: `eap`, or `integrated-gradients:steps=20,baseline=mean`."""

from collections.abc import Iterable
from typing import Any, NamedTuple, Self

from interp.core.engine import EngineSpec
from interp.core.errors import OptionError


class Method(NamedTuple):
    """A method as it was asked for: its name in the result, its engine, and the options that differ from its own."""

    label: str
    engine: EngineSpec
    options: dict[str, Any]

    @classmethod
    def of(cls, label: str, engines: Iterable[EngineSpec], what: str = "engine") -> Self:
        """Read a name, which may carry options.

        Raises: OptionError for a name of none of the `engines`, which are called `what`, and for an option that the
        engine does not take.
        """
        by_name = {engine.name: engine for engine in engines}
        name, _, text = label.partition(":")
        if name not in by_name:
            raise OptionError(f"there is no {what} {name!r}; choose from {', '.join(by_name)}")
        parts = [part.partition("=") for part in text.split(",") if part]
        options = {key.replace("-", "_"): value for key, _, value in parts}
        by_name[name].parse_options(options)
        return cls(label, by_name[name], options)
