"""learned_hist: how often each position's token occurs."""


def select_closest(queries, keys, matches):
    """For each query the place of the nearest key that it matches, of two the earlier, its own last; 0 for none."""
    places = []
    for i, query in enumerate(queries):
        matching = [j for j, key in enumerate(keys[:]) if key is not None and matches(query, key)]
        places.append(min(matching, key=lambda j: (j == i, abs(i - j), j), default=0))
    return places


def count(queries, keys, matches):
    """For each query how many keys it matches."""
    return [
        sum(key is not None and matches(query, key) for key in keys[:]) for i, query in enumerate(queries)
    ]


def aggregate(places, values):
    """The value at each place."""
    return [values[place] for place in places]


def apply(table, *variables):
    """What a table holds at each position; nothing at the first."""
    return [None, *(table(*values) for values in list(zip(*variables))[1:])]



def matches_0_0(query_token, key_token):
    if query_token in {"0"}:
        return key_token == "0"
    if query_token in {"1"}:
        return key_token == "1"
    if query_token in {"2"}:
        return key_token == "2"
    if query_token in {"3"}:
        return key_token == "3"
    if query_token in {"4"}:
        return key_token == "4"
    if query_token in {"5"}:
        return key_token == "5"
    return False


def holds_0_0(count_0_0, same_count_0_0):
    if count_0_0 in {2}:
        return 6
    if count_0_0 in {3}:
        return 2
    if count_0_0 in {4}:
        return 5
    if count_0_0 in {5}:
        return 3
    if count_0_0 in {6}:
        return 4
    return 1


CLASSES = ["1", "2", "3", "4", "5", "6", "7"]
WEIGHTS = {
    "mlp_0_0": {
        None: [2250, 205, -739, -378, -647, -1043, -1311],
        1: [11387, -7880, -7075, -8086, -8601, -9503, -5632],
        2: [-6901, -7758, 12320, -5784, -6828, -7560, -4517],
        3: [-2812, -4945, -5578, -3986, 10637, -6303, -4448],
        4: [-1203, -4018, -4304, -4659, -4624, 3748, -4377],
        5: [-4524, -6096, -6485, 11918, -5193, -6948, -4926],
        6: [-8454, 10835, -6271, -7929, -8682, -9900, -4773],
    },
}


def run(tokens):
    """The answer at every position; `None` stands for the start of the sequence, and for nothing."""
    tokens = [None, *tokens]
    positions = [None, *range(1, len(tokens))]
    count_0_0 = count(tokens, tokens, matches_0_0)
    mlp_0_0 = apply(holds_0_0, count_0_0, count_0_0)
    scores = [
        [sum(weights) for weights in zip(*(WEIGHTS[name][value] for name, value in variables))]
        for variables in zip((("mlp_0_0", value) for value in mlp_0_0))
    ]
    return [CLASSES[max(range(len(CLASSES)), key=score.__getitem__)] for score in scores[1:]]
