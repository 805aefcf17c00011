"""learned_reverse: the sequence from its end to its beginning."""


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



def matches_0_0(query_position, key_position):
    if query_position in {1}:
        return key_position == 6
    if query_position in {2}:
        return key_position == 5
    if query_position in {3}:
        return key_position == 4
    if query_position in {4}:
        return key_position == 3
    if query_position in {5, 6}:
        return key_position == 1
    if query_position in {7}:
        return key_position == 7
    return False


def matches_0_1(query_position, key_position):
    if query_position in {2}:
        return key_position == 4
    if query_position in {3, 5, 7}:
        return key_position == 2
    if query_position in {4}:
        return key_position == 1
    if query_position in {6}:
        return key_position == 3
    return False


def matches_0_2(query_position, key_position):
    if query_position in {1, 4}:
        return key_position == 3
    if query_position in {2}:
        return key_position == 1
    if query_position in {3, 7}:
        return key_position == 2
    if query_position in {5}:
        return key_position == 4
    if query_position in {6}:
        return key_position == 5
    return False


def holds_0_0(attn_0_1, attn_0_0):
    if attn_0_1 in {None} and attn_0_0 in {None, "END"}:
        return 1
    if attn_0_1 in {"0"} and attn_0_0 in {"1", "2"}:
        return 1
    if attn_0_1 in {"1"} and attn_0_0 in {"3"}:
        return 1
    if attn_0_1 in {"3"} and attn_0_0 in {"0"}:
        return 1
    if attn_0_1 in {"4"} and attn_0_0 in {"END"}:
        return 1
    if attn_0_1 in {None, "2", "4"} and attn_0_0 in {"0"}:
        return 4
    if attn_0_1 in {"0"} and attn_0_0 in {None}:
        return 4
    if attn_0_1 in {"1"} and attn_0_0 in {"0", "END"}:
        return 4
    if attn_0_1 in {"3"} and attn_0_0 in {"3"}:
        return 4
    if attn_0_1 in {None} and attn_0_0 in {"2"}:
        return 6
    if attn_0_1 in {"2", "END"} and attn_0_0 in {None}:
        return 6
    if attn_0_1 in {"3"} and attn_0_0 in {"END"}:
        return 6
    if attn_0_1 in {None, "0", "2"} and attn_0_0 in {"3"}:
        return None
    if attn_0_1 in {"1"} and attn_0_0 in {"1"}:
        return None
    if attn_0_1 in {"3"} and attn_0_0 in {None, "2", "4"}:
        return None
    if attn_0_1 in {None} and attn_0_0 in {"4"}:
        return 5
    if attn_0_1 in {"4"} and attn_0_0 in {None, "2", "3"}:
        return 5
    if attn_0_1 in {"0", "1"} and attn_0_0 in {"4"}:
        return 3
    if attn_0_1 in {"2"} and attn_0_0 in {"END"}:
        return 3
    if attn_0_1 in {"0"} and attn_0_0 in {"END"}:
        return 7
    if attn_0_1 in {"2"} and attn_0_0 in {"2"}:
        return 7
    if attn_0_1 in {"4"} and attn_0_0 in {"1"}:
        return 7
    return 2


def matches_1_0(query_position, key_token):
    if query_position in {1, 5}:
        return key_token == "END"
    if query_position in {2, 3}:
        return key_token == "2"
    return False


def matches_1_1(query_position, key_token):
    if query_position in {3, 5}:
        return key_token == "END"
    if query_position in {4}:
        return key_token == "2"
    if query_position in {6}:
        return key_token == "3"
    if query_position in {7}:
        return key_token == "0"
    return False


def matches_1_2(query_position, key_token):
    if query_position in {1, 5}:
        return key_token == "END"
    if query_position in {2}:
        return key_token == "3"
    return False


def holds_1_0(attn_0_0, attn_0_1):
    if attn_0_0 in {None, "END"} and attn_0_1 in {None}:
        return 6
    if attn_0_0 in {"3"} and attn_0_1 in {"2"}:
        return 6
    if attn_0_0 in {None, "3"} and attn_0_1 in {"0"}:
        return 3
    if attn_0_0 in {"0"} and attn_0_1 in {None, "3"}:
        return 3
    if attn_0_0 in {"4", "END"} and attn_0_1 in {"4"}:
        return 3
    if attn_0_0 in {None, "4"} and attn_0_1 in {"1"}:
        return None
    if attn_0_0 in {"1"} and attn_0_1 in {None, "2", "4"}:
        return None
    if attn_0_0 in {"3", "END"} and attn_0_1 in {"3"}:
        return None
    if attn_0_0 in {None, "1"} and attn_0_1 in {"3"}:
        return 4
    if attn_0_0 in {"2"} and attn_0_1 in {"2"}:
        return 4
    if attn_0_0 in {"3"} and attn_0_1 in {None, "1", "4"}:
        return 4
    if attn_0_0 in {None} and attn_0_1 in {"4"}:
        return 2
    if attn_0_0 in {"1"} and attn_0_1 in {"1"}:
        return 2
    if attn_0_0 in {"4"} and attn_0_1 in {None, "2", "3"}:
        return 2
    if attn_0_0 in {None} and attn_0_1 in {"END"}:
        return 7
    if attn_0_0 in {"0"} and attn_0_1 in {"4"}:
        return 7
    if attn_0_0 in {"1", "4"} and attn_0_1 in {"0"}:
        return 7
    if attn_0_0 in {"END"} and attn_0_1 in {"2"}:
        return 7
    if attn_0_0 in {"0"} and attn_0_1 in {"1", "2"}:
        return 1
    return 5


def matches_2_0(query_position, key_token):
    if query_position in {1, 2, 4, 5}:
        return key_token == "1"
    if query_position in {3, 6}:
        return key_token == "END"
    return False


def matches_2_1(query_position, key_token):
    if query_position in {1, 5, 6, 7}:
        return key_token == "END"
    if query_position in {2}:
        return key_token == "4"
    return False


def matches_2_2(query_position, key_token):
    if query_position in {1}:
        return key_token == "2"
    if query_position in {2, 3, 4, 5, 6, 7}:
        return key_token == "END"
    return False


def holds_2_0(attn_0_0, attn_2_1):
    if attn_0_0 in {None} and attn_2_1 in {"0"}:
        return 5
    if attn_0_0 in {"0"} and attn_2_1 in {"1", "2", "3"}:
        return 5
    if attn_0_0 in {"3"} and attn_2_1 in {"3"}:
        return 5
    if attn_0_0 in {None, "END"} and attn_2_1 in {"1"}:
        return 7
    if attn_0_0 in {"1"} and attn_2_1 in {"0", "2", "4"}:
        return 7
    if attn_0_0 in {None} and attn_2_1 in {"2"}:
        return 6
    if attn_0_0 in {"2"} and attn_2_1 in {"0", "1", "3", "4"}:
        return 6
    if attn_0_0 in {"4"} and attn_2_1 in {"4"}:
        return 6
    if attn_0_0 in {None} and attn_2_1 in {"3"}:
        return 4
    if attn_0_0 in {"0"} and attn_2_1 in {"0"}:
        return 4
    if attn_0_0 in {"3"} and attn_2_1 in {"0", "1", "2", "4"}:
        return 4
    if attn_0_0 in {None} and attn_2_1 in {"4", "END"}:
        return 3
    if attn_0_0 in {"4"} and attn_2_1 in {"0", "1", "2", "3"}:
        return 3
    if attn_0_0 in {"0", "4"} and attn_2_1 in {None}:
        return 2
    if attn_0_0 in {"2"} and attn_2_1 in {"2"}:
        return 2
    if attn_0_0 in {"END"} and attn_2_1 in {"3", "4"}:
        return 2
    if attn_0_0 in {"0"} and attn_2_1 in {"4"}:
        return 1
    if attn_0_0 in {"1"} and attn_2_1 in {"1"}:
        return 1
    return None


CLASSES = ["0", "1", "2", "3", "4"]
WEIGHTS = {
    "tokens": {
        None: [0, 1, 6, -4, 0],
        "0": [4, 1, 1, -4, 1],
        "1": [-1, 4, 1, -3, 4],
        "2": [-3, -1, 1, -4, 0],
        "3": [-2, 1, 1, 1, 2],
        "4": [-7, -3, -5, -9, 1],
        "END": [3, 8, -1, 2, 3],
    },
    "positions": {
        None: [-6, 0, -5, 2, 0],
        1: [-9, 9, 10, -1, -6],
        2: [15, 12, 7, -11, -11],
        3: [4, -7, -38, 24, 29],
        4: [-14, -23, 22, 9, 12],
        5: [16, 16, -18, -15, -10],
        6: [-11, -11, 29, 28, -43],
        7: [6, 2, 4, -10, 8],
    },
    "attn_0_0": {
        None: [-4, 4, 3, 0, 1],
        "0": [25, -10, -22, -24, -10],
        "1": [-8, 14, -1, -13, -9],
        "2": [-4, -10, 25, -11, -5],
        "3": [-13, -8, 3, 27, -7],
        "4": [-2, -6, -13, -19, 23],
        "END": [-13, -9, -7, 1, 0],
    },
    "attn_0_1": {
        None: [21, 9, -12, -11, -8],
        "0": [14, -11, -12, -7, -4],
        "1": [-6, 11, -8, -2, 0],
        "2": [-7, -13, 20, -1, -5],
        "3": [-10, -11, -7, 19, -3],
        "4": [-10, -9, -5, -1, 12],
        "END": [-9, -12, -8, 6, 7],
    },
    "attn_0_2": {
        None: [-32, 60, 39, -29, -32],
        "0": [-7, 4, 9, 7, 3],
        "1": [0, -10, 7, 4, 1],
        "2": [0, 0, -15, 2, 1],
        "3": [1, 2, 5, -12, 1],
        "4": [0, -1, 4, 0, -15],
        "END": [9, -18, 42, -2, -6],
    },
    "mlp_0_0": {
        None: [-7, 5, -2, 12, -5],
        1: [-1, 0, 2, 1, -4],
        2: [-5, 8, 0, 2, -4],
        3: [7, -3, 8, -1, -2],
        4: [10, -6, 1, -6, -2],
        5: [-1, 0, -3, 0, 16],
        6: [9, -4, 19, -4, -1],
        7: [-2, 1, 0, 0, 5],
    },
    "attn_1_0": {
        None: [11, 6, -41, 12, 13],
        "0": [8, -10, 7, -2, 0],
        "1": [-3, 5, 12, 1, 0],
        "2": [-11, -13, 23, -7, -7],
        "3": [-5, -11, 12, 7, -6],
        "4": [-9, -13, 12, -8, 7],
        "END": [-72, -49, 158, -36, -49],
    },
    "attn_1_1": {
        None: [3, 3, -13, 0, 1],
        "0": [24, -7, -1, -9, -10],
        "1": [-13, 20, -6, -15, -15],
        "2": [-15, -11, 32, -14, -13],
        "3": [-10, -10, -2, 25, -9],
        "4": [-9, -8, -5, -9, 24],
        "END": [-4, -1, -3, -9, -5],
    },
    "attn_1_2": {
        None: [9, 7, 7, -42, 12],
        "0": [10, -11, -10, 1, -9],
        "1": [-3, 10, -7, 7, -5],
        "2": [-5, -7, 6, 9, -12],
        "3": [-11, -9, -9, 24, -14],
        "4": [-12, -12, -13, 14, 10],
        "END": [-88, -54, -31, 142, -38],
    },
    "mlp_1_0": {
        None: [-2, 7, -5, 3, 2],
        1: [-4, 10, 4, 4, -5],
        2: [1, -6, -2, -7, 6],
        3: [6, -4, -1, -2, -2],
        4: [-1, -1, -8, 6, -9],
        5: [-5, -1, 10, 4, -6],
        6: [7, -8, -3, -5, 1],
        7: [-7, 6, -7, 2, 0],
    },
    "attn_2_0": {
        None: [5, -80, 6, 8, 3],
        "0": [-2, 4, -5, -2, -9],
        "1": [-8, 8, -5, -4, -9],
        "2": [-8, 5, -4, -3, -12],
        "3": [-3, 9, -1, 4, -6],
        "4": [-2, 11, -1, 3, 0],
        "END": [-32, 41, -13, 8, 1],
    },
    "attn_2_1": {
        None: [5, 7, 10, 21, -37],
        "0": [8, -6, -6, -13, 8],
        "1": [-8, 5, -5, -12, 15],
        "2": [-8, -9, 10, -13, 13],
        "3": [-7, -2, -10, 3, 18],
        "4": [-5, -9, -11, -19, 23],
        "END": [-64, -21, -55, -57, 97],
    },
    "attn_2_2": {
        None: [1, -2, -58, 6, 4],
        "0": [-19, -1, 8, 6, 7],
        "1": [4, -17, 11, 11, 10],
        "2": [6, 3, -19, 8, 11],
        "3": [4, 2, 9, -15, 9],
        "4": [6, 4, 14, 12, -13],
        "END": [-11, 54, -88, 4, 6],
    },
    "mlp_2_0": {
        None: [2, 5, -1, -9, -2],
        1: [7, 4, -9, 3, -12],
        2: [-13, -4, 5, 5, -1],
        3: [-15, -9, -3, 9, 18],
        4: [-4, -5, -11, 26, 5],
        5: [10, -14, -6, 9, -4],
        6: [-10, -7, 15, -2, 2],
        7: [-1, 24, -4, 7, 4],
    },
}


def run(tokens):
    """The answer at every position; `None` stands for the start of the sequence, and for nothing."""
    tokens = [None, *tokens]
    positions = [None, *range(1, len(tokens))]
    attn_0_0 = aggregate(select_closest(positions, positions, matches_0_0), tokens)
    attn_0_1 = aggregate(select_closest(positions, positions, matches_0_1), tokens)
    attn_0_2 = aggregate(select_closest(positions, positions, matches_0_2), tokens)
    mlp_0_0 = apply(holds_0_0, attn_0_1, attn_0_0)
    attn_1_0 = aggregate(select_closest(positions, tokens, matches_1_0), attn_0_2)
    attn_1_1 = aggregate(select_closest(positions, tokens, matches_1_1), attn_0_1)
    attn_1_2 = aggregate(select_closest(positions, tokens, matches_1_2), attn_0_2)
    mlp_1_0 = apply(holds_1_0, attn_0_0, attn_0_1)
    attn_2_0 = aggregate(select_closest(positions, tokens, matches_2_0), attn_0_2)
    attn_2_1 = aggregate(select_closest(positions, tokens, matches_2_1), attn_0_2)
    attn_2_2 = aggregate(select_closest(positions, tokens, matches_2_2), attn_0_2)
    mlp_2_0 = apply(holds_2_0, attn_0_0, attn_2_1)
    scores = [
        [sum(weights) for weights in zip(*(WEIGHTS[name][value] for name, value in variables))]
        for variables in zip((("tokens", value) for value in tokens), (("positions", value) for value in positions), (("attn_0_0", value) for value in attn_0_0), (("attn_0_1", value) for value in attn_0_1), (("attn_0_2", value) for value in attn_0_2), (("mlp_0_0", value) for value in mlp_0_0), (("attn_1_0", value) for value in attn_1_0), (("attn_1_1", value) for value in attn_1_1), (("attn_1_2", value) for value in attn_1_2), (("mlp_1_0", value) for value in mlp_1_0), (("attn_2_0", value) for value in attn_2_0), (("attn_2_1", value) for value in attn_2_1), (("attn_2_2", value) for value in attn_2_2), (("mlp_2_0", value) for value in mlp_2_0))
    ]
    return [CLASSES[max(range(len(CLASSES)), key=score.__getitem__)] for score in scores[1:]]
