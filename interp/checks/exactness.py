"""Every engine on a given model: exact to what, refused why, or failed."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch

from interp.checks.contract import EVEN, QUICK, State, batch_and_singles, distance, gaps, pairs_of
from interp.core.engine import EngineSpec
from interp.core.errors import InterpError
from interp.core.progress import track
from interp.models.hooked import HookedModel

# The largest share of its size by which a number may be off: rounding. Patterns are kept in float32.
BOUNDS = {torch.float64: 1e-6, torch.float32: 2e-3, torch.float16: 0.05, torch.bfloat16: 0.3}

_RUNS = 120  # of the short prompt, that an engine takes on average: 556 s for 47 engines on the default model


@dataclass(frozen=True)
class Finding:
    """What was seen of one engine: "exact", "refused", "failed" or "not run"; and in words.

    `largest` is the largest difference that should have been nought, as a share of what it is compared with.
    """

    engine: str
    outcome: str
    said: str = ""
    largest: float = 0.0
    seconds: float = 0.0

    @property
    def reason(self) -> str:
        """Why the engine does not hold; empty where it does, or was not asked."""
        return {"refused": self.said, "failed": f"not exact: {self.said}"}.get(self.outcome, "")


def estimate(model: HookedModel, engines: int) -> float:
    """About how many seconds `check` takes, from one run and what an engine took of them on the default model."""
    prompts = pairs_of(model).clean
    times = []
    for _ in range(3):
        start = time.perf_counter()
        model.logits(prompts)
        times.append(time.perf_counter() - start)
    return min(times) * _RUNS * engines


def check(model: HookedModel, engines: Iterable[EngineSpec]) -> Iterator[Finding]:
    """Run engines on a short prompt, with small options, and compare what has to be equal.

    A batch of two prompts with each alone; every remainder with nought, unless the engine declares one of its own; rows
    of patterns with one; the last lens with the logits; patched heads and edges with plain runs; and everything that a
    run must leave as it was.
    """
    specs = list(engines)
    for spec in track(specs, len(specs), "checking engines"):
        start = time.perf_counter()
        obstacle = spec.obstacle(model)
        if obstacle is not None:
            yield Finding(spec.name, "refused", obstacle)
            continue
        try:
            outcome, said, largest = _measured(spec, model)
        except InterpError as error:
            outcome, said, largest = "not run", str(error), 0.0
        except Exception as error:  # whatever an unusual model leads to is what is asked here
            outcome, said, largest = "failed", f"{type(error).__name__}: {' '.join(str(error).split())[:200]}", 0.0
        yield Finding(spec.name, outcome, said, largest, round(time.perf_counter() - start, 2))


def _measured(spec: EngineSpec, model: HookedModel) -> tuple[str, str, float]:
    pairs = pairs_of(model, even=spec.name in EVEN)
    before = State.of(model, pairs.clean)
    result = spec(model, pairs, **QUICK.get(spec.name, {}))
    shares = dict(gaps(result, model, pairs))
    rest = {name: share for name, share in shares.items() if name.endswith("remainder closes") and _has_own_rest(spec)}
    due = {name: share for name, share in shares.items() if name not in rest}
    due["a batch is its prompts"] = max(distance(*both) for both in batch_and_singles(spec, model, pairs))
    left = list(before.changes())
    said = [f"{name} to {share:.0e}" for name, share in due.items()]
    said += [f"{share:.0%} is its remainder" for share in rest.values()] + left
    largest = max(due.values())
    return "exact" if largest <= BOUNDS[model.dtype] and not left else "failed", "; ".join(said), largest


def _has_own_rest(spec: EngineSpec) -> bool:
    """Whether what it conserves has a gap, or a remainder that it does not promise to be nought."""
    return "gap" in spec.conserves or "tokens and the remainder" in spec.conserves
