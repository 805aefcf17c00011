"""Functions at the sites of a running model: what is recorded, edited or passed over; all of it gone afterwards."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from interp.models.architectures import Architecture
from interp.models.edits import Edit
from interp.models.sites import Site
from interp.models.weights import Weights

Change = Callable[[Tensor], Tensor | None]


class Hooks:
    """The hook points of a bridge by site. What a block of these puts there is gone however the block ends."""

    def __init__(self, bridge: Any, architecture: Architecture, weights: Weights) -> None:
        self._bridge, self._architecture, self._weights = bridge, architecture, weights
        self.points: dict[str, Any] = dict(bridge.hook_dict)

    def __contains__(self, site: Site) -> bool:
        """Whether the model fires a hook at the site."""
        return self._name(site) in self.points

    def _name(self, site: Site) -> str:
        return self._architecture.hook(site.name).format(f"blocks.{site.layer}")

    @contextmanager
    def at(self, site: Site, function: Change) -> Iterator[None]:
        """Call `function` with what a site holds; what it returns, unless None, takes its place."""
        point = self.points[self._name(site)]
        conversion = point.hook_conversion

        def on_forward(module: nn.Module, inputs: Any, output: Tensor) -> Tensor | None:
            result = function(output if conversion is None else conversion.convert(output))
            return result if result is None or conversion is None else conversion.revert(result)

        with point.register_forward_hook(on_forward) as _:
            yield

    @contextmanager
    def recorded(self, site: Site, trace: dict[Site, Tensor]) -> Iterator[None]:
        """Put what a site holds into `trace`."""

        def keep(value: Tensor) -> None:
            trace[site] = self._weights.head_outputs(site.layer or 0, value) if site.name == "head_out" else value

        with self.at(Site("z", site.layer) if site.name == "head_out" else site, keep):
            yield

    @contextmanager
    def edited(self, edits: Iterable[Edit]) -> Iterator[None]:
        """Apply edits; those of one site one after another."""
        by_site: dict[Site, list[Edit]] = defaultdict(list)
        for edit in edits:
            by_site[edit.site].append(edit)
        with ExitStack() as stack:
            # What is moved in the middle of a layer arrives at its end before edits there overrule it.
            for site in sorted(by_site, key=lambda site: site.name != "resid_mid"):
                stack.enter_context(self._apply(site, by_site[site]))
            yield

    @contextmanager
    def passed_over(self, layers: Iterable[int]) -> Iterator[None]:
        """Let some blocks pass their input on."""
        blocks = [self._bridge.blocks[layer] for layer in layers]

        def pass_on(hidden: Tensor, *args: Any, **kwargs: Any) -> Tensor | tuple[Tensor, None]:
            return (hidden, None) if self._architecture.tuples else hidden

        try:
            for block in blocks:
                block.__dict__["forward"] = pass_on  # the bridge's own __setattr__ would set it on the inner module
            yield
        finally:
            for block in blocks:
                block.__dict__.pop("forward", None)

    @contextmanager
    def _apply(self, site: Site, edits: Sequence[Edit]) -> Iterator[None]:
        def change(value: Tensor) -> Tensor | None:
            now = None
            for edit in edits:
                result = edit.applied(value if now is None else now)
                now = now if result is None else result
            return now

        difference: list[Tensor] = []

        def move(stream: Tensor) -> Tensor | None:
            result = change(stream)
            difference[:] = [] if result is None else [result - stream]
            return result

        def measure(z: Tensor) -> None:
            outputs = self._weights.head_outputs(site.layer or 0, z)
            result = change(outputs)
            difference[:] = [torch.zeros(())] if result is None else [(result - outputs).sum(2)]

        def add(value: Tensor) -> Tensor:
            return sum(difference, value)

        with ExitStack() as stack:
            if site.name == "head_out":
                stack.enter_context(self.at(Site("z", site.layer), measure))
                stack.enter_context(self.at(Site("attn_out", site.layer), add))
            elif site.name == "resid_mid" and not self._architecture.layer_map.attention.norm_on_sum:
                # The hook is what the MLP alone reads.
                stack.enter_context(self.at(site, move))
                stack.enter_context(self.at(Site("resid_post", site.layer), add))
            else:
                stack.enter_context(self.at(site, change))
            yield
