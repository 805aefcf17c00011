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


def matches_0_1(query_token, key_token):
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


def holds_0_0(count_0_1, count_0_0):
    if count_0_1 in {1} and count_0_0 in {1}:
        return 1
    if count_0_1 in {2} and count_0_0 in {2}:
        return 6
    if count_0_1 in {3} and count_0_0 in {3}:
        return 7
    if count_0_1 in {6} and count_0_0 in {6}:
        return None
    return 2


CLASSES = ["1", "2", "3", "4", "5", "6", "7"]
WEIGHTS = {
    "mlp_0_0": {
        None: [-2534, -3940, -4155, -4894, -3098, 3584, -3815],
        1: [11511, -8286, -7750, -9096, -7975, -8551, -6209],
        2: [-7462, -10010, -10254, 5285, 2961, -9532, -6612],
        6: [-8601, 11200, -5827, -8484, -7917, -8278, -4601],
        7: [-6762, -6539, 12751, -6225, -5991, -5545, -4148],
    },
}


def run(tokens):
    """The answer at every position; `None` stands for the start of the sequence, and for nothing."""
    tokens = [None, *tokens]
    positions = [None, *range(1, len(tokens))]
    count_0_0 = count(tokens, tokens, matches_0_0)
    count_0_1 = count(tokens, tokens, matches_0_1)
    mlp_0_0 = apply(holds_0_0, count_0_1, count_0_0)
    scores = [
        [sum(weights) for weights in zip(*(WEIGHTS[name][value] for name, value in variables))]
        for variables in zip((("mlp_0_0", value) for value in mlp_0_0))
    ]
    return [CLASSES[max(range(len(CLASSES)), key=score.__getitem__)] for score in scores[1:]]
