"""The subject of a prompt: the tokens that name what a fact is about."""

from interp.core.errors import OptionError, PromptError
from interp.core.prompts import PromptPairs, Prompts


def subject_positions(engine: str, prompts: Prompts | PromptPairs, subject: str) -> list[list[int]]:
    """The positions of the subject in every clean prompt: of the text `subject`, where it stands last; without one,
    where the prompt and its corrupted twin differ.

    Raises: OptionError for a subject that a prompt does not have; PromptError if there is neither.
    """
    clean = prompts.clean
    if subject:
        return [_places(engine, list(labels), subject) for labels in clean.labels]
    if isinstance(prompts, Prompts):
        raise PromptError(f"{engine} needs the subject of the prompt; give `subject`, or a corrupted prompt")
    differs = (prompts.clean.tokens != prompts.corrupted.tokens) & clean.mask
    rows = [row.nonzero().flatten().tolist() for row in differs]
    same = next((text for text, row in zip(clean.texts, rows, strict=True) if not row), None)
    if same is not None:
        raise PromptError(f"{engine}: {same!r} and its corrupted prompt are the same; name the `subject`")
    return rows


def _places(engine: str, labels: list[str], subject: str) -> list[int]:
    text = "".join(labels)
    first = text.rfind(subject)
    if first < 0:
        raise OptionError(f"{engine}, subject = {subject!r}: it is not in the prompt {text!r}")
    last, places, end = first + len(subject), [], 0
    for at, label in enumerate(labels):
        start, end = end, end + len(label)
        if start < last and end > first and label:
            places.append(at)
    return places
