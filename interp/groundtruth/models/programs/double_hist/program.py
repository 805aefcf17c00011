"""learned_double_hist: how many different tokens occur as often as each position's token."""


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



def matches_0_0(query_token, key_position):
    if query_token in {"0", "1", "2", "3", "4", "5"}:
        return key_position == 4
    return False


def matches_0_1(query_position, key_token):
    if query_position in {1, 5}:
        return key_token == "3"
    if query_position in {2, 6}:
        return key_token == "0"
    if query_position in {3}:
        return key_token == "5"
    if query_position in {4}:
        return key_token == "2"
    if query_position in {7}:
        return key_token == "4"
    return False


def matches_0_2(query_token, key_token):
    if query_token in {"0", "2"}:
        return key_token == "4"
    if query_token in {"1", "3", "5"}:
        return key_token == "1"
    if query_token in {"4"}:
        return key_token == "2"
    return False


def holds_0_0(attn_0_0, same_attn_0_0):
    if attn_0_0 in {None}:
        return 3
    return 2


def holds_0_1(count_0_1, count_0_2):
    if count_0_1 in {0} and count_0_2 in {0, 2}:
        return None
    if count_0_1 in {1} and count_0_2 in {5}:
        return None
    if count_0_1 in {2} and count_0_2 in {0, 1, 2}:
        return None
    if count_0_1 in {0} and count_0_2 in {1}:
        return 7
    if count_0_1 in {1} and count_0_2 in {0, 3, 4}:
        return 7
    if count_0_1 in {1} and count_0_2 in {1}:
        return 3
    if count_0_1 in {1} and count_0_2 in {2}:
        return 2
    return 1


def holds_0_2(count_0_2, count_0_1):
    if count_0_2 in {0, 1} and count_0_1 in {1}:
        return 6
    if count_0_2 in {1} and count_0_1 in {0}:
        return 3
    if count_0_2 in {2} and count_0_1 in {2}:
        return 3
    if count_0_2 in {3} and count_0_1 in {0, 1, 3, 4}:
        return 3
    if count_0_2 in {1} and count_0_1 in {2, 5}:
        return 2
    if count_0_2 in {2, 5} and count_0_1 in {1}:
        return 2
    return 7


def matches_1_0(query_token, key_token):
    if query_token in {"0", "4"}:
        return key_token == "3"
    if query_token in {"1"}:
        return key_token == "2"
    if query_token in {"2", "3"}:
        return key_token == "5"
    if query_token in {"5"}:
        return key_token == "0"
    return False


def matches_1_1(query_token, key_token):
    if query_token in {"0"}:
        return key_token == "1"
    if query_token in {"1", "5"}:
        return key_token == "4"
    if query_token in {"2"}:
        return key_token == "0"
    if query_token in {"3"}:
        return key_token == "2"
    if query_token in {"4"}:
        return key_token == "5"
    return False


def matches_1_2(query_token, key_token):
    if query_token in {"0", "1"}:
        return key_token == "5"
    if query_token in {"2", "4"}:
        return key_token == "1"
    if query_token in {"3"}:
        return key_token == "4"
    if query_token in {"5"}:
        return key_token == "3"
    return False


def holds_1_0(attn_1_0, same_attn_1_0):
    if attn_1_0 in {1, 2, 5, 7}:
        return 7
    return None


def holds_1_1(count_1_1, count_1_2):
    if count_1_1 in {0} and count_1_2 in {0, 2, 4}:
        return 7
    if count_1_1 in {2} and count_1_2 in {0, 4}:
        return 7
    if count_1_1 in {4, 5} and count_1_2 in {0}:
        return 7
    if count_1_1 in {0, 4} and count_1_2 in {1}:
        return 4
    if count_1_1 in {0} and count_1_2 in {6}:
        return 3
    if count_1_1 in {4} and count_1_2 in {2}:
        return 3
    if count_1_1 in {1} and count_1_2 in {0}:
        return 2
    if count_1_1 in {2} and count_1_2 in {2}:
        return 2
    if count_1_1 in {1} and count_1_2 in {1}:
        return 1
    if count_1_1 in {1} and count_1_2 in {2}:
        return None
    if count_1_1 in {2} and count_1_2 in {1}:
        return None
    return 5


def holds_1_2(count_1_2, count_0_2):
    if count_1_2 in {0} and count_0_2 in {1}:
        return 6
    if count_1_2 in {1} and count_0_2 in {0}:
        return 5
    if count_1_2 in {2} and count_0_2 in {1}:
        return 5
    if count_1_2 in {1} and count_0_2 in {1}:
        return 7
    if count_1_2 in {6} and count_0_2 in {0}:
        return 7
    if count_1_2 in {1} and count_0_2 in {2}:
        return 3
    if count_1_2 in {5} and count_0_2 in {0, 1}:
        return 3
    if count_1_2 in {2} and count_0_2 in {0, 2}:
        return 4
    if count_1_2 in {4} and count_0_2 in {1}:
        return 4
    return 1


def matches_2_0(query_mlp_0_0, key_attn_0_0):
    if query_mlp_0_0 in {2}:
        return key_attn_0_0 == 4
    if query_mlp_0_0 in {3}:
        return key_attn_0_0 == 3
    return False


def matches_2_1(query_mlp_0_0, key_position):
    if query_mlp_0_0 in {2}:
        return key_position == 6
    if query_mlp_0_0 in {3}:
        return key_position == 4
    return False


def holds_2_0(attn_1_0, same_attn_1_0):
    if attn_1_0 in {4, 6}:
        return 3
    return 2


def holds_2_1(count_0_2, same_count_0_2):
    if count_0_2 in {1}:
        return None
    if count_0_2 in {2}:
        return 6
    if count_0_2 in {6}:
        return 5
    return 2


def holds_2_2(count_1_1, count_2_1):
    if count_1_1 in {0} and count_2_1 in {0}:
        return None
    if count_1_1 in {1} and count_2_1 in {0}:
        return 6
    if count_1_1 in {1} and count_2_1 in {1}:
        return 5
    if count_1_1 in {2} and count_2_1 in {0}:
        return 4
    if count_1_1 in {4} and count_2_1 in {1}:
        return 4
    if count_1_1 in {2} and count_2_1 in {1}:
        return 2
    if count_1_1 in {5} and count_2_1 in {1}:
        return 3
    return 1


CLASSES = ["1", "2", "3", "4", "5", "6"]
WEIGHTS = {
    "positions": {
        None: [3, 3, 1, -1, -1, 4],
        1: [3, 5, 5, 4, 5, -3],
        2: [-2, 4, 3, 0, 1, -2],
        3: [1, 1, 7, 2, -1, -9],
        4: [-2, 1, 3, 0, -3, -14],
        5: [-2, 0, 4, -8, 0, -10],
        6: [3, 7, 9, 6, 8, 6],
        7: [0, 1, 7, -9, -3, -149],
    },
    "attn_0_0": {
        None: [-1, -1, 15, -65, -74, -1],
        1: [6, 3, 6, 4, 3, -9],
        2: [-7, 11, 2, 0, -1, -1],
        3: [4, 1, 2, 14, 8, -4],
        4: [4, 10, -7, 17, 8, -15],
        5: [6, 4, 6, -4, 9, -9],
        6: [4, 4, 5, 19, -17, 7],
        7: [-2, -8, 29, -37, 29, -193],
    },
    "mlp_0_0": {
        None: [-2, 5, -6, 8, -3, -2],
        2: [-4, 6, 12, -9, -6, -17],
        3: [-5, 10, 5, -70, -46, -20],
    },
    "mlp_0_1": {
        None: [7, 15, 10, -9, -10, -94],
        1: [11, 6, 6, -3, -85, -54],
        2: [4, 9, -1, -7, -5, -30],
        3: [3, -8, 5, 8, 11, 11],
        7: [8, 2, 2, 2, -20, -100],
    },
    "mlp_0_2": {
        None: [-4, 1, 3, 1, 11, 0],
        2: [5, 0, 6, 5, 9, -72],
        3: [-3, 1, 6, -3, 5, -57],
        6: [-2, 3, 3, -3, 2, -6],
        7: [8, -1, -3, -2, -37, -77],
    },
    "attn_1_0": {
        None: [9, -3, -4, -3, -43, -119],
        1: [-5, -4, 3, -3, 6, -1],
        2: [-3, 1, 8, 0, 6, -1],
        3: [2, -6, 7, 9, 0, 4],
        4: [-1, 3, 3, 20, 0, 3],
        5: [-3, -2, 5, -7, 8, -2],
        6: [-4, 1, -1, 18, -1, 8],
        7: [4, 2, 8, -5, 11, -141],
    },
    "mlp_1_0": {
        None: [13, -2, -2, -10, -6, -18],
        7: [16, -7, -5, -2, -13, -13],
    },
    "mlp_1_1": {
        None: [-4, 9, 6, 7, 18, -79],
        1: [6, -7, -1, 1, 16, 10],
        2: [2, 2, 1, -5, -11, -61],
        3: [37, -39, -41, -6, 13, 10],
        4: [0, 3, 10, 9, -8, -89],
        5: [-10, 4, 9, 12, -42, -42],
        7: [2, 8, 5, -3, -124, -63],
    },
    "mlp_1_2": {
        None: [0, -1, 2, 2, 4, 4],
        1: [8, 7, 7, 1, -104, -59],
        3: [3, 11, 11, 13, 15, -33],
        4: [-7, 0, 19, -10, -93, -7],
        5: [-5, 2, 10, 1, 7, -60],
        6: [12, 6, 0, 5, -10, -82],
        7: [5, -2, -3, 3, 5, -4],
    },
    "attn_2_0": {
        None: [2, 13, 9, 1, 8, -87],
        1: [18, 15, 11, 13, -110, -42],
        2: [-3, 6, 2, 7, 22, -55],
        3: [-6, -4, -1, 12, 30, 97],
        7: [0, 5, 4, 11, 10, -94],
    },
    "mlp_2_0": {
        None: [-17, 13, 11, -22, 3, -12],
        2: [7, 0, -1, 8, -3, -9],
        3: [10, -9, -1, -3, -3, -6],
    },
    "mlp_2_1": {
        None: [-3, 4, 4, -1, 4, 0],
        2: [9, 5, -3, 0, -12, -31],
        5: [26, -19, -24, -17, -2, -10],
        6: [1, 1, 6, -7, -6, -38],
    },
    "mlp_2_2": {
        None: [5, 1, -6, 1, 14, -50],
        1: [10, 8, 0, -1, -116, -51],
        2: [-2, 4, 10, 6, -9, -51],
        3: [-3, 9, -62, -50, 3, -13],
        4: [0, 8, 19, -115, -77, -28],
        5: [-3, 5, -2, 10, -13, 5],
        6: [-11, -6, 3, 13, 30, -97],
    },
}


def run(tokens):
    """The answer at every position; `None` stands for the start of the sequence, and for nothing."""
    tokens = [None, *tokens]
    positions = [None, *range(1, len(tokens))]
    attn_0_0 = aggregate(select_closest(tokens, positions, matches_0_0), positions)
    count_0_1 = count(positions, tokens, matches_0_1)
    count_0_2 = count(tokens, tokens, matches_0_2)
    mlp_0_0 = apply(holds_0_0, attn_0_0, attn_0_0)
    mlp_0_1 = apply(holds_0_1, count_0_1, count_0_2)
    mlp_0_2 = apply(holds_0_2, count_0_2, count_0_1)
    attn_1_0 = aggregate(select_closest(tokens, tokens, matches_1_0), positions)
    count_1_1 = count(tokens, tokens, matches_1_1)
    count_1_2 = count(tokens, tokens, matches_1_2)
    mlp_1_0 = apply(holds_1_0, attn_1_0, attn_1_0)
    mlp_1_1 = apply(holds_1_1, count_1_1, count_1_2)
    mlp_1_2 = apply(holds_1_2, count_1_2, count_0_2)
    attn_2_0 = aggregate(select_closest(mlp_0_0, attn_0_0, matches_2_0), mlp_0_1)
    count_2_1 = count(mlp_0_0, positions, matches_2_1)
    mlp_2_0 = apply(holds_2_0, attn_1_0, attn_1_0)
    mlp_2_1 = apply(holds_2_1, count_0_2, count_0_2)
    mlp_2_2 = apply(holds_2_2, count_1_1, count_2_1)
    scores = [
        [sum(weights) for weights in zip(*(WEIGHTS[name][value] for name, value in variables))]
        for variables in zip((("positions", value) for value in positions), (("attn_0_0", value) for value in attn_0_0), (("mlp_0_0", value) for value in mlp_0_0), (("mlp_0_1", value) for value in mlp_0_1), (("mlp_0_2", value) for value in mlp_0_2), (("attn_1_0", value) for value in attn_1_0), (("mlp_1_0", value) for value in mlp_1_0), (("mlp_1_1", value) for value in mlp_1_1), (("mlp_1_2", value) for value in mlp_1_2), (("attn_2_0", value) for value in attn_2_0), (("mlp_2_0", value) for value in mlp_2_0), (("mlp_2_1", value) for value in mlp_2_1), (("mlp_2_2", value) for value in mlp_2_2))
    ]
    return [CLASSES[max(range(len(CLASSES)), key=score.__getitem__)] for score in scores[1:]]
