"""What a hooked model cannot do, as the check at loading saw."""

from dataclasses import dataclass, field
from typing import Literal

Part = Literal["layers", "mlp", "turning", "alone", "attention", "readout", "unembedding"]


@dataclass(frozen=True)
class Obstacles:
    """Why sites, by name (`router_in[0]` where one layer lacks it), cannot be read or edited.

    Each reason follows the model's name: "has no pattern: …".

    `parts` says the same of what engines compute again, None where it is exact: `layers` (sums, norms and projections
    as the layer map says), `mlp` (linear maps with an activation between them), `turning` (norm and rotation of queries
    and keys), `alone` (one head's without the others), `attention` (patterns are the softmax of queries times keys,
    heads patterns times values), `readout` (the logits from what the unembedding reads), `unembedding` (the logits from
    the last layer).
    """

    read: dict[str, str] = field(default_factory=dict)
    edit: dict[str, str] = field(default_factory=dict)
    parts: dict[Part, str | None] = field(default_factory=dict)
