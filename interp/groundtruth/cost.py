"""What work costs: the multiplications in matrix products, which are the same on every machine."""

from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class Multiplications(TorchDispatchMode):
    """Counts them in a `with` block, forwards and backwards.

    torch's own counter also follows modules, with hooks that refuse the gradients that engines take.
    """

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count it."""
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket in flop_registry:
            self.total += flop_registry[func.overloadpacket](*args, **(kwargs or {}), out_val=result) // 2
        return result
