"""What the form suggests: an answer's missing leading space, the worked example, and examples of the tasks."""

from interp import tasks
from interp.core.errors import PromptError
from interp.core.language_model import LanguageModel
from interp.core.prompts import PromptPairs, Prompts
from interp.models.hooked import HookedModel
from interp.views.labels import visible

DRAWN = 64  # prompts of a task, of which the first that can be written is taken
WORKED = "worked example"
OPENING = "([{<“‘\"'"  # what a word may follow without a space
Offer = tuple[str, str]  # a field, and the text to put into it


def hints(model: LanguageModel, clean: str, **answers: str) -> tuple[str, list[Offer]]:
    """A sentence for each answer that lacks the leading space of a word after `clean`, and its replacement.

    A word lacks it if it is one token with the space, and without it several or another one.
    """
    if model.is_classifier or not clean or clean[-1].isspace() or clean[-1] in OPENING:
        return "", []
    sentences, offers = [], []
    for field, text in answers.items():
        tokens = model.encode_continuation(text) if text[:1].isalpha() else []
        spaced_tokens = model.encode_continuation(f" {text}") if tokens else []
        if len(spaced_tokens) != 1 or spaced_tokens == tokens:
            continue
        bare = "another token" if len(tokens) == 1 else f"{len(tokens)} tokens"
        with_space = f"“␣{visible(text)}”"
        sentences.append(
            f"{field.capitalize()}: {with_space}, with its leading space, is one token, and what this prompt would be "
            f"followed by; “{visible(text)}” is {bare}."
        )
        offers.append((field, f" {text}"))
    return " ".join(sentences), offers


def examples(model: LanguageModel) -> list[tuple[str, str]]:
    """What can fill the form, by name, each with one sentence: the worked example and the tasks of such a model."""
    suitable = [task for task in tasks.TASKS if task.obstacle(model) is None]
    return [(WORKED, "what the page opens with"), *((task.name, task.summary) for task in suitable)]


def example(model: HookedModel, name: str, seed: int) -> tuple[dict[str, str], str]:
    """A task's pair for this model as the fields of a question, and a sentence about it.

    Of several right answers, or wrong ones, the likeliest stands for all. The fields hold text: random tokens that
    would be tokenized differently are skipped.
    Raises: OptionError for a task that there is not; InterpError as the task does, or where no text is read as it says.
    """
    pairs = _pair(model, name, seed)
    metric = pairs.metric
    assert metric is not None
    assert metric.contrasts is not None
    clean = pairs.clean.texts[0]
    answers = [metric.targets[0], metric.contrasts[0]]
    counts = [len(tokens) for tokens in answers]
    if max(counts) > 1:
        last = model.logits(Prompts.of(model, clean))[0, pairs.clean.answer_positions(model)[0]]
        answers = [(max(tokens, key=lambda token: float(last[token])),) for tokens in answers]
    which = f"; the likeliest of {counts[0]} right and {counts[1]} wrong answers" if max(counts) > 1 else ""
    answer, contrast = (model.token_label(tokens[0]) for tokens in answers)
    question = {"clean": clean, "corrupted": pairs.corrupted.texts[0], "answer": answer, "contrast": contrast}
    return question, f"{name}, seed {seed}{which}. Press Run."


def _pair(model: HookedModel, name: str, seed: int) -> PromptPairs:
    """The first pair of a task that asks where a question is asked, and whose texts tokenize to its own tokens."""
    for n in (1, DRAWN):
        pairs = tasks.find(name)(model, n=n, seed=seed)
        for row in range(n):
            pair = pairs[[row]]
            asked = pair.metric and pair.metric.positions == pair.clean.answer_positions(model)
            if asked and all(Prompts.of(model, side.texts).hash == side.hash for side in (pair.clean, pair.corrupted)):
                return pair
    raise PromptError(f"{name}: none of {DRAWN} prompts of seed {seed} can be written as text; give another seed")
