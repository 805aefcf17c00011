"""What holds on a model: which engines support it, and whether what they claim is exact there."""

from interp.checks.support import remember, remembered, support

__all__ = ["remember", "remembered", "support"]
