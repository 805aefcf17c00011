"""Where a labelled part of a text ends, in tokens."""

from interp.core.errors import PromptError
from interp.core.language_model import LanguageModel


def last_token(model: LanguageModel, text: str, beginning: str) -> int:
    """The position, among the tokens of `text`, of the last token of its `beginning`.

    Raises: PromptError if a token reaches beyond that, or the model reads no text.
    """
    if model.program:
        raise PromptError(f"{model.name} is compiled from a program and reads no text; use a language model")
    one, other = model.encode("a")[::-1], model.encode("to")[::-1]
    closing = next((at for at, pair in enumerate(zip(one, other, strict=False)) if len({*pair}) > 1), 0)
    whole, part = model.encode(text), model.encode(beginning)
    part = part[: len(part) - closing]
    if whole[: len(part)] != part:
        raise PromptError(f"{model.name} cuts no token behind {beginning[-20:]!r}; label the end of a word")
    return len(part) - 1
