"""Texts with enough tokens for what is measured of them."""

from interp.core.errors import CorpusError
from interp.core.prompts import Prompts


def require_tokens(count: float, skip: int, *, least: int = 1, what: str = "token") -> None:
    """Raises: CorpusError where fewer than `least` tokens are left without the first `skip` positions."""
    if count >= least:
        return
    left = f"no {what} is left" if not count else f"only {count:.0f} {what}{' is' if count == 1 else 's are'} left"
    needed = f"; at least {least} are needed" if least > 1 else ""
    where = {0: "", 1: " after the first position"}.get(skip, f" after the first {skip:,} positions")
    raise CorpusError(f"{left}{where} of every window{needed}; give a longer text, or skip less")


def require_predictions(count: float, skip: int) -> None:
    """Raises: CorpusError where no token is predicted from a position after the first `skip`."""
    require_tokens(count, skip, what="token with a next one")


def require_width(prompts: Prompts, first: int, *, least: int = 1) -> None:
    """Raises: CorpusError where no window has `least` tokens after its `first` positions."""
    require_tokens(max(0, int(prompts.mask.sum(1).max()) - first), first, least=least)
