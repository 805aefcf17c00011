"""What a hooked model cannot do, as the check at loading saw."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Obstacles:
    """Why sites, by name (`router_in[0]` where one layer lacks it), cannot be read or edited.

    Each reason follows the model's name: "has no pattern: …".

    `attention` is why its patterns are not the softmax of its queries times its keys, `unembedding` why its logits are
    not its last layer behind the final norm and the unembedding, `experts` why the experts of its MLPs are not the maps
    and the gated product that rules are written for; None if they are.
    """

    read: dict[str, str] = field(default_factory=dict)
    edit: dict[str, str] = field(default_factory=dict)
    attention: str | None = None
    unembedding: str | None = None
    experts: str | None = None
