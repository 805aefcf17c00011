"""One content as a tab shows it: what has to be computed for it, and how far that is."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from interp.core.engine import EngineSpec
from interp_dashboard.asking import Call
from interp_dashboard.contents import Content
from interp_dashboard.work import Failure, short


@dataclass(frozen=True)
class Display:
    """One content as a tab shows it: the calls behind it, and which part of their results is shown."""

    content: Content
    calls: Mapping[str, Call]
    choice: Mapping[str, Any]
    theme: str

    @property
    def enough(self) -> int:
        """How many of its results have to be there before any is shown."""
        return min(self.content.least, len(self.calls))

    def key(self, results: Mapping[str, Any]) -> str:
        """The short name of what is shown, given the results so far."""
        return short(self.content.key(self.answered(results) or self.calls, self.choice, self.theme))

    def answered(self, results: Mapping[str, Any]) -> dict[str, Call]:
        """The calls behind the results so far."""
        return {name: call for name, call in self.calls.items() if name in results}

    def results(self, answers: Mapping[Hashable, Any]) -> dict[str, Any]:
        """The results available so far."""
        mine = {name: answers[call.key] for name, call in self.calls.items()}
        return {name: answer for name, answer in mine.items() if answer is not None and not isinstance(answer, Failure)}

    def failures(self, answers: Mapping[Hashable, Any]) -> list[Failure]:
        """The failures of its work, or of drawing the results."""
        keys = (*(work.key for work in self.works), self.key(self.results(answers)))
        return [answer for key in keys if isinstance(answer := answers.get(key), Failure)]

    @property
    def engines(self) -> list[EngineSpec]:
        """The engines among the calls."""
        return [call.engine for call in self.calls.values() if isinstance(call.engine, EngineSpec)]

    @property
    def works(self) -> list[Call]:
        """The calls that are run for it."""
        return [work for call in self.calls.values() for work in call.works]
