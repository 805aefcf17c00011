"""Architectures as data: which layer map a model has, and where its sites differ from the common table.

Most families need no line here: `interp.models.identifying` takes the layer map that a model's numbers prove. What the
numbers cannot tell of encoders stands in `interp.models.encoders`.
"""

from dataclasses import dataclass, field
from typing import Literal

from interp.models.layer_map import HOOKS_OF_MAPS, LAYER_MAPS, LayerMap, Stream
from interp.models.sites import SITES

_GATED_SITES = {"mlp_pre": "{}.mlp.gate.hook_out", "mlp_up": "{}.mlp.in.hook_out"}
_UNKNOWN = dict.fromkeys(("resid_mid", "attn_write", "mlp_write"), "")  # what these are depends on where norms stand
# The bridge has the router where the gate of an MLP is elsewhere; neurons are those of the experts.
EXPERT_SITES = {"mlp_pre": "", "mlp_post": "", "mlp_out": "{}.mlp.hook_out"}
# What stands before a final norm and behind it is then the same.
WITHOUT_FINAL_NORM = {"ln_final_in": "unembed.hook_in", "ln_final_scale": "", "ln_final_out": "unembed.hook_in"}


@dataclass(frozen=True)
class Architecture:
    """What distinguishes one model's layers.

    `stream` names its layer map, None where no map explains its numbers; `unexplained` says so. `sites` replaces hooks
    of the common table ("" = there is no such site). `tuples`: its blocks return the stream as the first of several.
    """

    family: str
    norm: Literal["rms", "layer"]
    stream: Stream | None
    gated: bool
    sites: dict[str, str] = field(default_factory=dict)
    causal: bool = True
    unexplained: str | None = None
    tuples: bool = False

    @property
    def layer_map(self) -> LayerMap:
        """What stands between the stream, attention and the MLP of every layer."""
        return LAYER_MAPS[self.stream or "pre"]

    def hook(self, site: str) -> str:
        """The hook of the bridge that a site stands for; `{}` is the block."""
        own = (_GATED_SITES if self.gated else {}) | (_UNKNOWN if self.stream is None else HOOKS_OF_MAPS[self.stream])
        return (own | self.sites).get(site, SITES[site].hook)
