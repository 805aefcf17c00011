"""learned_induction: at a letter that has been there before, the digit that followed it."""


def select_closest(queries, keys, matches):
    """For each query the place of the nearest key that it matches, of two the earlier, its own last; 0 for none."""
    places = []
    for i, query in enumerate(queries):
        matching = [j for j, key in enumerate(keys[:i + 1]) if key is not None and matches(query, key)]
        places.append(min(matching, key=lambda j: (j == i, abs(i - j), j), default=0))
    return places


def count(queries, keys, matches):
    """For each query how many keys it matches."""
    return [
        sum(key is not None and matches(query, key) for key in keys[:i + 1]) for i, query in enumerate(queries)
    ]


def aggregate(places, values):
    """The value at each place."""
    return [values[place] for place in places]


def apply(table, *variables):
    """What a table holds at each position; nothing at the first."""
    return [None, *(table(*values) for values in list(zip(*variables))[1:])]



def matches_0_0(query_position, key_position):
    if query_position in {1, 3, 5}:
        return key_position == 2
    if query_position in {2}:
        return key_position == 1
    if query_position in {4}:
        return key_position == 3
    if query_position in {6}:
        return key_position == 5
    if query_position in {7}:
        return key_position == 8
    if query_position in {8}:
        return key_position == 4
    return False


def matches_1_0(query_token, key_attn_0_0):
    if query_token in {"a"}:
        return key_attn_0_0 == "a"
    if query_token in {"b"}:
        return key_attn_0_0 == "b"
    if query_token in {"c"}:
        return key_attn_0_0 == "c"
    if query_token in {"d"}:
        return key_attn_0_0 == "d"
    if query_token in {"0", "2", "3"}:
        return key_attn_0_0 == "0"
    if query_token in {"1"}:
        return key_attn_0_0 == "2"
    return False


CLASSES = ["0", "1", "2", "3"]
WEIGHTS = {
    "attn_1_0": {
        None: [130, 516, -147, 836],
        "a": [963, -921, 22, 85],
        "b": [-1025, 7, 109, -774],
        "c": [617, 498, 112, 243],
        "d": [-200, -71, -303, 661],
        "0": [9366, -9148, -9145, -9442],
        "1": [-8960, 9695, -9739, -8997],
        "2": [-9707, -9459, 8727, -9829],
        "3": [-8656, -9039, -9223, 9797],
    },
}


def run(tokens):
    """The answer at every position; `None` stands for the start of the sequence, and for nothing."""
    tokens = [None, *tokens]
    positions = [None, *range(1, len(tokens))]
    attn_0_0 = aggregate(select_closest(positions, positions, matches_0_0), tokens)
    attn_1_0 = aggregate(select_closest(tokens, attn_0_0, matches_1_0), tokens)
    scores = [
        [sum(weights) for weights in zip(*(WEIGHTS[name][value] for name, value in variables))]
        for variables in zip((("attn_1_0", value) for value in attn_1_0))
    ]
    return [CLASSES[max(range(len(CLASSES)), key=score.__getitem__)] for score in scores[1:]]
