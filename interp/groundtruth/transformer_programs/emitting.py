"""A learned program as Python that a person can read, and which line of it is which head or MLP."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from interp.groundtruth.transformer_programs.learned import Head, LearnedProgram, Table
from interp.groundtruth.transformer_programs.soft import NOTHING


class Source(NamedTuple):
    """The text, and the sender of the model's graph that each of its lines is computed by."""

    text: str
    lines: dict[int, str]


_LIBRARY = '''

def select_closest(queries, keys, matches):
    """For each query the place of the nearest key that it matches, of two the earlier, its own last; 0 for none."""
    places = []
    for i, query in enumerate(queries):
        matching = [j for j, key in enumerate(keys[:{seen}]) if key is not None and matches(query, key)]
        places.append(min(matching, key=lambda j: (j == i, abs(i - j), j), default=0))
    return places


def count(queries, keys, matches):
    """For each query how many keys it matches."""
    return [
        sum(key is not None and matches(query, key) for key in keys[:{seen}]) for i, query in enumerate(queries)
    ]


def aggregate(places, values):
    """The value at each place."""
    return [values[place] for place in places]


def apply(table, *variables):
    """What a table holds at each position; nothing at the first."""
    return [None, *(table(*values) for values in list(zip(*variables))[1:])]
'''

_RUN = '''

def run(tokens):
    """The answer at every position; `None` stands for the start of the sequence, and for nothing."""
    tokens = [None, *tokens]
    positions = [None, *range(1, len(tokens))]
'''

_ANSWERS = """    scores = [
        [sum(weights) for weights in zip(*(WEIGHTS[name][value] for name, value in variables))]
        for variables in zip({variables})
    ]
    return [CLASSES[max(range(len(CLASSES)), key=score.__getitem__)] for score in scores[1:]]
"""


def emitted(program: LearnedProgram, classes: Iterable[str], about: str) -> Source:
    """The program as source that needs nothing but Python."""
    writer = _Writer(program)
    writer.add(f'"""{about}"""')
    writer.add(_LIBRARY.replace("{seen}", "i + 1" if program.causal else ""))
    for depth, layer in enumerate(program.layers):
        for index, head in enumerate(layer.heads):
            writer.head(head, f"a{depth}.{index}")
        for table in layer.tables:
            writer.table(table, f"m{depth}")
    writer.weights(list(classes))
    writer.add(_RUN.rstrip("\n"))
    for depth, layer in enumerate(program.layers):
        for index, head in enumerate(layer.heads):
            writer.add(f"    {head.name} = {_call(head)}", f"a{depth}.{index}")
        for table in layer.tables:
            variables = ", ".join(table.reads)
            writer.add(f"    {table.name} = apply(holds_{table.name.removeprefix('mlp_')}, {variables})", f"m{depth}")
    named = ", ".join(f'(("{name}", value) for value in {name})' for name in program.classifier)
    writer.add(_ANSWERS.replace("{variables}", named).rstrip("\n"))
    return Source("\n".join(writer.lines) + "\n", writer.senders)


def _call(head: Head) -> str:
    matches = f"matches_{head.name.partition('_')[2]}"
    if head.value is None:
        return f"count({head.query}, {head.key}, {matches})"
    return f"aggregate(select_closest({head.query}, {head.key}, {matches}), {head.value})"


class _Writer:
    """Lines, and the senders of those that belong to one."""

    def __init__(self, program: LearnedProgram) -> None:
        self.program, self.lines, self.senders = program, [], {}
        self._labels = {"tokens": [None, *program.symbols], "positions": [None, *range(1, program.positions)]}
        for part in (part for layer in program.layers for part in layer.parts()):
            value = part.value if isinstance(part, Head) else None
            numbers = list(range(program.positions)) if isinstance(part, Head) else [None, *range(1, 64)]
            self._labels[part.name] = self._labels[value] if value else numbers

    def add(self, text: str, sender: str = "") -> None:
        """Lines, of a sender or of none."""
        for line in text.split("\n"):
            self.lines.append(line)
            if sender and line:
                self.senders[len(self.lines)] = sender

    def head(self, head: Head, sender: str) -> None:
        """The function that says which key a query matches."""
        query, key = _parameter(head.query, "query"), _parameter(head.key, "key")
        by_key = _grouped((head.matches.get(value, NOTHING), value) for value in self.program.domain(head.query))
        possible = set(self.program.domain(head.key)) - {NOTHING}
        branches = [
            f"    if {query} in {self._set(head.query, values)}:\n"
            f"        return {key} == {self._label(head.key, wanted)}"
            for wanted, values in by_key.items()
            if wanted in possible
        ]
        name = f"matches_{head.name.partition('_')[2]}"
        self.add("\n".join(["", "", f"def {name}({query}, {key}):", *branches, "    return False"]), sender)

    def table(self, table: Table, sender: str) -> None:
        """The function that looks up two values."""
        first, second = _parameter(table.reads[0], ""), _parameter(table.reads[1], "")
        if first == second:
            second = f"same_{first}"
        domains = [self.program.domain(name) for name in table.reads]
        same = table.reads[0] == table.reads[1]
        pairs = [(one, other) for one in domains[0] for other in domains[1] if not same or one == other]
        grouped = _grouped((table.holds[pair], pair) for pair in pairs)
        rest = max(grouped, key=lambda value: len(grouped[value]))
        lines = ["", "", f"def holds_{table.name.removeprefix('mlp_')}({first}, {second}):"]
        for value, members in grouped.items():
            if value != rest:
                lines += self._branch(table, (first, second), members, self._label(table.name, value))
        self.add("\n".join([*lines, f"    return {self._label(table.name, rest)}"]), sender)

    def _branch(self, table: Table, names: tuple[str, str], pairs: list[Any], result: str) -> list[str]:
        """One line for each value of the first variable that leads to a result."""
        lines = []
        for others, firsts in _grouped(
            (tuple(seconds), one) for one, seconds in _grouped((one, other) for one, other in pairs).items()
        ).items():
            whole = len(others) == len(self.program.domain(table.reads[1])) or table.reads[0] == table.reads[1]
            condition = f"{names[0]} in {self._set(table.reads[0], firsts)}"
            if not whole:
                condition += f" and {names[1]} in {self._set(table.reads[1], others)}"
            lines += [f"    if {condition}:", f"        return {result}"]
        if table.reads[0] == table.reads[1]:
            firsts = [one for one, _ in pairs]
            return [f"    if {names[0]} in {self._set(table.reads[0], firsts)}:", f"        return {result}"]
        return lines

    def weights(self, classes: list[str]) -> None:
        """The classifier."""
        lines = ["", "", f"CLASSES = {classes!r}".replace("'", '"'), "WEIGHTS = {"]
        for name, weights in self.program.classifier.items():
            lines.append(f'    "{name}": {{')
            lines += [
                f"        {self._label(name, value)}: {weights[value].tolist()}," for value in self.program.domain(name)
            ]
            lines.append("    },")
        self.add("\n".join([*lines, "}"]))

    def _label(self, name: str, value: int) -> str:
        return repr(self._labels[name][value]).replace("'", '"')

    def _set(self, name: str, values: Iterable[int]) -> str:
        return f"{{{', '.join(self._label(name, value) for value in values)}}}"


def _parameter(variable: str, role: str) -> str:
    """What a function calls a variable that it is given."""
    single = {"tokens": "token", "positions": "position"}.get(variable, variable)
    return f"{role}_{single}" if role else single


def _grouped(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return dict(groups)
