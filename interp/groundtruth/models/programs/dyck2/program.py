"""learned_dyck2: the same of two kinds of brackets, which may not cross."""


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
    if query_position in {1, 3}:
        return key_position == 2
    if query_position in {2}:
        return key_position == 1
    if query_position in {4, 5}:
        return key_position == 3
    if query_position in {6}:
        return key_position == 5
    if query_position in {7}:
        return key_position == 6
    if query_position in {8}:
        return key_position == 7
    return False


def matches_0_1(query_token, key_position):
    if query_token in {"(", ")", "{"}:
        return key_position == 1
    if query_token in {"}"}:
        return key_position == 2
    return False


def matches_0_2(query_token, key_position):
    if query_token in {"("}:
        return key_position == 2
    if query_token in {")", "}"}:
        return key_position == 6
    if query_token in {"{"}:
        return key_position == 4
    return False


def matches_0_3(query_token, key_token):
    if query_token in {"("}:
        return key_token == "}"
    if query_token in {")"}:
        return key_token == "("
    if query_token in {"}"}:
        return key_token == "{"
    return False


def holds_0_0(token, attn_0_0):
    if token in {"("} and attn_0_0 in {"(", "{", "}"}:
        return 6
    if token in {"{"} and attn_0_0 in {"("}:
        return 6
    if token in {"("} and attn_0_0 in {")"}:
        return 4
    if token in {"{"} and attn_0_0 in {"{"}:
        return 4
    if token in {")"} and attn_0_0 in {None, ")"}:
        return 8
    if token in {"}"} and attn_0_0 in {None, "}"}:
        return 8
    if token in {")"} and attn_0_0 in {"("}:
        return 5
    if token in {"}"} and attn_0_0 in {"{"}:
        return 5
    if token in {")"} and attn_0_0 in {"{"}:
        return 3
    if token in {"}"} and attn_0_0 in {"("}:
        return 3
    if token in {")"} and attn_0_0 in {"}"}:
        return 7
    if token in {"}"} and attn_0_0 in {")"}:
        return 7
    return 2


def holds_0_1(token, position):
    if token in {"("} and position in {1, 2, 3}:
        return 6
    if token in {"{"} and position in {1, 2}:
        return 6
    if token in {"("} and position in {7, 8}:
        return 1
    if token in {")"} and position in {1, 2}:
        return 5
    if token in {"}"} and position in {2, 4}:
        return 5
    if token in {")"} and position in {3, 5}:
        return None
    if token in {")"} and position in {4}:
        return 2
    if token in {"{"} and position in {7}:
        return 2
    if token in {"}"} and position in {1}:
        return 2
    if token in {")"} and position in {6}:
        return 3
    if token in {"}"} and position in {3, 6}:
        return 3
    if token in {")"} and position in {7}:
        return 4
    if token in {"{"} and position in {3}:
        return 4
    if token in {"}"} and position in {5, 7}:
        return 4
    if token in {")", "}"} and position in {8}:
        return 8
    return 7


def holds_0_2(count_0_3, same_count_0_3):
    if count_0_3 in {0}:
        return 2
    if count_0_3 in {1}:
        return None
    if count_0_3 in {2}:
        return 1
    if count_0_3 in {3}:
        return 7
    return 3


def holds_0_3(count_0_3, count_0_2):
    if count_0_3 in {0} and count_0_2 in {0}:
        return 1
    if count_0_3 in {1, 2} and count_0_2 in {1}:
        return 1
    if count_0_3 in {0} and count_0_2 in {1}:
        return 3
    if count_0_3 in {1} and count_0_2 in {0}:
        return 5
    if count_0_3 in {2, 3} and count_0_2 in {0}:
        return 4
    if count_0_3 in {7} and count_0_2 in {1}:
        return 4
    if count_0_3 in {3} and count_0_2 in {1}:
        return None
    return 2


def matches_1_0(query_position, key_position):
    if query_position in {1}:
        return key_position == 1
    if query_position in {2}:
        return key_position == 2
    if query_position in {3, 4, 5, 6, 7, 8}:
        return key_position == 3
    return False


def matches_1_1(query_token, key_token):
    if query_token in {"(", "}"}:
        return key_token == "{"
    if query_token in {")", "{"}:
        return key_token == "("
    return False


def matches_1_2(query_mlp_0_0, key_mlp_0_0):
    if query_mlp_0_0 in {2, 8}:
        return key_mlp_0_0 == 5
    if query_mlp_0_0 in {3, 5}:
        return key_mlp_0_0 == 8
    if query_mlp_0_0 in {7}:
        return key_mlp_0_0 == 7
    return False


def matches_1_3(query_mlp_0_0, key_mlp_0_0):
    if query_mlp_0_0 in {2, 3, 4, 6, 7, 8}:
        return key_mlp_0_0 == 5
    if query_mlp_0_0 in {5}:
        return key_mlp_0_0 == 8
    return False


def holds_1_0(token, attn_0_0):
    if token in {"("} and attn_0_0 in {None}:
        return 5
    if token in {"("} and attn_0_0 in {"("}:
        return 7
    if token in {"{"} and attn_0_0 in {"{"}:
        return 7
    if token in {"("} and attn_0_0 in {")"}:
        return None
    if token in {"("} and attn_0_0 in {"{"}:
        return 3
    if token in {"{"} and attn_0_0 in {"("}:
        return 3
    if token in {")"} and attn_0_0 in {None, ")", "}"}:
        return 2
    if token in {"}"} and attn_0_0 in {")"}:
        return 2
    if token in {")"} and attn_0_0 in {"("}:
        return 1
    if token in {"{"} and attn_0_0 in {None, "}"}:
        return 1
    if token in {"}"} and attn_0_0 in {"{"}:
        return 1
    return 6


def holds_1_1(attn_0_0, same_attn_0_0):
    if attn_0_0 in {None}:
        return 8
    if attn_0_0 in {")"}:
        return 2
    if attn_0_0 in {"}"}:
        return None
    return 1


def holds_1_2(count_1_2, count_0_3):
    if count_1_2 in {0} and count_0_3 in {1}:
        return None
    if count_1_2 in {0, 4} and count_0_3 in {2}:
        return 1
    if count_1_2 in {2} and count_0_3 in {1, 2}:
        return 1
    if count_1_2 in {7} and count_0_3 in {0}:
        return 1
    if count_1_2 in {0} and count_0_3 in {3}:
        return 3
    if count_1_2 in {2} and count_0_3 in {0}:
        return 3
    if count_1_2 in {0} and count_0_3 in {7}:
        return 2
    if count_1_2 in {1} and count_0_3 in {2}:
        return 2
    if count_1_2 in {2} and count_0_3 in {4}:
        return 2
    if count_1_2 in {1} and count_0_3 in {1}:
        return 5
    if count_1_2 in {3} and count_0_3 in {3, 4}:
        return 5
    if count_1_2 in {1} and count_0_3 in {3}:
        return 6
    if count_1_2 in {1} and count_0_3 in {4}:
        return 4
    if count_1_2 in {3} and count_0_3 in {2}:
        return 4
    if count_1_2 in {2} and count_0_3 in {3}:
        return 7
    return 8


def holds_1_3(count_1_3, count_0_3):
    if count_1_3 in {0} and count_0_3 in {1}:
        return 6
    if count_1_3 in {0} and count_0_3 in {3, 6, 7}:
        return 2
    if count_1_3 in {1} and count_0_3 in {5, 6}:
        return 2
    if count_1_3 in {2} and count_0_3 in {5}:
        return 2
    if count_1_3 in {5} and count_0_3 in {1}:
        return 2
    if count_1_3 in {1} and count_0_3 in {1}:
        return None
    if count_1_3 in {2} and count_0_3 in {2}:
        return None
    if count_1_3 in {3} and count_0_3 in {0, 1}:
        return None
    if count_1_3 in {1} and count_0_3 in {2, 3}:
        return 7
    if count_1_3 in {1} and count_0_3 in {4}:
        return 8
    if count_1_3 in {2} and count_0_3 in {0}:
        return 8
    if count_1_3 in {3} and count_0_3 in {3}:
        return 8
    if count_1_3 in {2} and count_0_3 in {1}:
        return 5
    if count_1_3 in {3} and count_0_3 in {2}:
        return 5
    if count_1_3 in {2} and count_0_3 in {3, 4}:
        return 4
    if count_1_3 in {4} and count_0_3 in {2}:
        return 4
    if count_1_3 in {3} and count_0_3 in {4}:
        return 3
    return 1


def matches_2_0(query_mlp_0_1, key_position):
    if query_mlp_0_1 in {1, 2, 3, 4, 5, 6, 7, 8}:
        return key_position == 2
    return False


def matches_2_1(query_attn_0_1, key_token):
    if query_attn_0_1 in {"("}:
        return key_token == "}"
    if query_attn_0_1 in {")", "{"}:
        return key_token == ")"
    return False


def matches_2_2(query_mlp_0_0, key_mlp_0_0):
    if query_mlp_0_0 in {3}:
        return key_mlp_0_0 == 8
    if query_mlp_0_0 in {4, 5, 6, 8}:
        return key_mlp_0_0 == 5
    return False


def holds_2_0(attn_0_0, attn_1_1):
    if attn_0_0 in {None, "("} and attn_1_1 in {None}:
        return 8
    if attn_0_0 in {"{"} and attn_1_1 in {"("}:
        return 8
    if attn_0_0 in {"("} and attn_1_1 in {"("}:
        return 3
    if attn_0_0 in {"{"} and attn_1_1 in {"{"}:
        return 3
    if attn_0_0 in {"("} and attn_1_1 in {"{"}:
        return 4
    if attn_0_0 in {"(", ")", "}"} and attn_1_1 in {"}"}:
        return 1
    if attn_0_0 in {")", "}"} and attn_1_1 in {None}:
        return 2
    if attn_0_0 in {")", "{"} and attn_1_1 in {")"}:
        return 7
    if attn_0_0 in {"}"} and attn_1_1 in {"("}:
        return 7
    if attn_0_0 in {")"} and attn_1_1 in {"{"}:
        return 5
    if attn_0_0 in {"}"} and attn_1_1 in {")"}:
        return 5
    return 6


def holds_2_1(attn_0_0, same_attn_0_0):
    if attn_0_0 in {None}:
        return 8
    if attn_0_0 in {")", "}"}:
        return 1
    return 4


def holds_2_2(count_0_3, count_1_2):
    if count_0_3 in {0} and count_1_2 in {7}:
        return 4
    if count_0_3 in {2, 7} and count_1_2 in {0}:
        return 4
    if count_0_3 in {3} and count_1_2 in {1}:
        return 4
    if count_0_3 in {1} and count_1_2 in {0}:
        return 2
    if count_0_3 in {1} and count_1_2 in {1}:
        return 8
    if count_0_3 in {4} and count_1_2 in {2}:
        return 8
    if count_0_3 in {2} and count_1_2 in {1}:
        return 1
    if count_0_3 in {2} and count_1_2 in {2}:
        return 3
    if count_0_3 in {4} and count_1_2 in {3}:
        return 3
    if count_0_3 in {3} and count_1_2 in {2}:
        return 6
    return 7


def holds_2_3(count_2_2, count_1_3):
    if count_2_2 in {0} and count_1_3 in {0, 4}:
        return 6
    if count_2_2 in {0} and count_1_3 in {1}:
        return 7
    if count_2_2 in {0} and count_1_3 in {2}:
        return 8
    if count_2_2 in {0} and count_1_3 in {3}:
        return 4
    if count_2_2 in {1} and count_1_3 in {4, 5}:
        return 4
    if count_2_2 in {2} and count_1_3 in {0, 2}:
        return 4
    if count_2_2 in {5} and count_1_3 in {0}:
        return 4
    if count_2_2 in {1} and count_1_3 in {0}:
        return 3
    if count_2_2 in {1} and count_1_3 in {1}:
        return None
    if count_2_2 in {6} and count_1_3 in {0}:
        return None
    if count_2_2 in {1} and count_1_3 in {2}:
        return 2
    if count_2_2 in {2} and count_1_3 in {4}:
        return 2
    return 1


CLASSES = ["F", "P", "T"]
WEIGHTS = {
    "tokens": {
        None: [0, -2, -4],
        "(": [1, 16, -72],
        ")": [8, -15, 14],
        "{": [-6, 12, -22],
        "}": [7, -11, 20],
    },
    "positions": {
        None: [-1, 0, -3],
        1: [-16, 18, -21],
        2: [-72, -19, 188],
        3: [6, 10, -103],
        4: [-4, 7, -3],
        5: [10, 8, -83],
        6: [4, -1, 14],
        7: [11, 4, -86],
        8: [12, -1, -1],
    },
    "attn_0_0": {
        None: [-10, 9, -5],
        "(": [3, 11, -1],
        ")": [11, -9, 7],
        "{": [0, 11, -11],
        "}": [4, -8, 4],
    },
    "attn_0_1": {
        None: [41, -35, -1],
        "(": [-16, 1, -1],
        ")": [-8, -9, -4],
        "{": [-11, 5, -10],
        "}": [7, -6, 3],
    },
    "mlp_0_0": {
        None: [-6, 10, 1],
        2: [-2, 5, -13],
        3: [16, 6, -86],
        4: [-4, 4, -48],
        5: [7, -8, 6],
        6: [0, 9, -64],
        7: [-15, -11, 12],
        8: [8, -3, 0],
    },
    "mlp_0_1": {
        None: [-3, 24, -48],
        1: [12, -8, -30],
        2: [1, -14, 22],
        3: [-4, 8, 3],
        4: [-9, 10, -88],
        5: [-12, -29, 8],
        6: [-2, 7, -73],
        7: [15, -5, -38],
        8: [-13, 5, -5],
    },
    "mlp_0_2": {
        None: [12, -5, -2],
        1: [-7, -3, 7],
        2: [7, 7, -181],
        3: [-7, 5, 3],
        7: [-4, 2, 3],
    },
    "mlp_0_3": {
        None: [7, -10, -7],
        1: [19, 3, -2],
        2: [-2, 0, -7],
        3: [3, 3, -23],
        4: [2, 4, 20],
        5: [-2, -8, -6],
    },
    "attn_1_0": {
        None: [33, -24, 6],
        "(": [-8, 6, 2],
        ")": [74, -56, -60],
        "{": [-28, 10, 3],
        "}": [47, -87, -25],
    },
    "attn_1_1": {
        None: [-8, -9, 12],
        "(": [-8, 3, -13],
        ")": [-5, -2, 2],
        "{": [-9, 4, -13],
        "}": [-3, -3, 6],
    },
    "mlp_1_0": {
        None: [-2, -8, -27],
        1: [0, -6, 6],
        2: [4, 1, 5],
        3: [6, 8, -14],
        5: [-36, 19, -12],
        6: [5, -7, -4],
        7: [-2, 3, -8],
    },
    "mlp_1_1": {
        None: [4, 1, -4],
        1: [14, -2, -16],
        2: [-2, 2, -8],
        8: [-17, 12, 3],
    },
    "mlp_1_2": {
        None: [-8, -2, 4],
        1: [4, -12, -1],
        2: [9, -11, -8],
        3: [0, -1, 7],
        4: [13, 5, -2],
        5: [6, -1, -9],
        6: [12, -5, -11],
        7: [4, -5, -4],
        8: [2, -7, -18],
    },
    "mlp_1_3": {
        None: [6, -2, -7],
        1: [0, 6, -6],
        2: [-8, 15, -4],
        3: [23, -48, 55],
        4: [5, -3, 0],
        5: [11, -6, 7],
        6: [2, -3, -11],
        7: [6, 0, -7],
        8: [0, -5, 5],
    },
    "attn_2_0": {
        None: [0, 1, -31],
        "(": [-15, 12, 0],
        ")": [65, -52, -86],
        "{": [-1, 2, -5],
        "}": [3, 2, 0],
    },
    "attn_2_1": {
        None: [2, 6, 5],
        1: [2, 3, 2],
        2: [5, -12, 10],
        3: [10, 9, -24],
        5: [3, 4, -9],
        6: [13, -11, 9],
        7: [9, -2, -5],
    },
    "mlp_2_0": {
        None: [5, 4, -10],
        1: [-2, 1, -3],
        2: [8, -4, -19],
        3: [-4, 7, 3],
        4: [3, 5, -8],
        5: [3, -3, -4],
        6: [2, 3, 10],
        7: [5, 2, 1],
        8: [2, 7, -11],
    },
    "mlp_2_1": {
        None: [2, 7, 5],
        1: [-3, 2, -7],
        4: [15, 2, -9],
        8: [-9, 19, -3],
    },
    "mlp_2_2": {
        None: [-3, -8, -11],
        1: [2, 9, -2],
        2: [-15, 5, 10],
        3: [8, -3, -2],
        4: [-7, 7, -5],
        6: [1, 1, -1],
        7: [19, 4, -15],
        8: [-8, 1, -1],
    },
    "mlp_2_3": {
        None: [1, -3, 0],
        1: [-24, 3, 48],
        2: [37, -50, -45],
        3: [12, 17, -80],
        4: [-16, 7, 13],
        6: [19, -8, -54],
        7: [-2, -3, -18],
        8: [-8, 5, -12],
    },
}


def run(tokens):
    """The answer at every position; `None` stands for the start of the sequence, and for nothing."""
    tokens = [None, *tokens]
    positions = [None, *range(1, len(tokens))]
    attn_0_0 = aggregate(select_closest(positions, positions, matches_0_0), tokens)
    attn_0_1 = aggregate(select_closest(tokens, positions, matches_0_1), tokens)
    count_0_2 = count(tokens, positions, matches_0_2)
    count_0_3 = count(tokens, tokens, matches_0_3)
    mlp_0_0 = apply(holds_0_0, tokens, attn_0_0)
    mlp_0_1 = apply(holds_0_1, tokens, positions)
    mlp_0_2 = apply(holds_0_2, count_0_3, count_0_3)
    mlp_0_3 = apply(holds_0_3, count_0_3, count_0_2)
    attn_1_0 = aggregate(select_closest(positions, positions, matches_1_0), attn_0_1)
    attn_1_1 = aggregate(select_closest(tokens, tokens, matches_1_1), attn_0_0)
    count_1_2 = count(mlp_0_0, mlp_0_0, matches_1_2)
    count_1_3 = count(mlp_0_0, mlp_0_0, matches_1_3)
    mlp_1_0 = apply(holds_1_0, tokens, attn_0_0)
    mlp_1_1 = apply(holds_1_1, attn_0_0, attn_0_0)
    mlp_1_2 = apply(holds_1_2, count_1_2, count_0_3)
    mlp_1_3 = apply(holds_1_3, count_1_3, count_0_3)
    attn_2_0 = aggregate(select_closest(mlp_0_1, positions, matches_2_0), attn_0_1)
    attn_2_1 = aggregate(select_closest(attn_0_1, tokens, matches_2_1), mlp_1_0)
    count_2_2 = count(mlp_0_0, mlp_0_0, matches_2_2)
    mlp_2_0 = apply(holds_2_0, attn_0_0, attn_1_1)
    mlp_2_1 = apply(holds_2_1, attn_0_0, attn_0_0)
    mlp_2_2 = apply(holds_2_2, count_0_3, count_1_2)
    mlp_2_3 = apply(holds_2_3, count_2_2, count_1_3)
    scores = [
        [sum(weights) for weights in zip(*(WEIGHTS[name][value] for name, value in variables))]
        for variables in zip((("tokens", value) for value in tokens), (("positions", value) for value in positions), (("attn_0_0", value) for value in attn_0_0), (("attn_0_1", value) for value in attn_0_1), (("mlp_0_0", value) for value in mlp_0_0), (("mlp_0_1", value) for value in mlp_0_1), (("mlp_0_2", value) for value in mlp_0_2), (("mlp_0_3", value) for value in mlp_0_3), (("attn_1_0", value) for value in attn_1_0), (("attn_1_1", value) for value in attn_1_1), (("mlp_1_0", value) for value in mlp_1_0), (("mlp_1_1", value) for value in mlp_1_1), (("mlp_1_2", value) for value in mlp_1_2), (("mlp_1_3", value) for value in mlp_1_3), (("attn_2_0", value) for value in attn_2_0), (("attn_2_1", value) for value in attn_2_1), (("mlp_2_0", value) for value in mlp_2_0), (("mlp_2_1", value) for value in mlp_2_1), (("mlp_2_2", value) for value in mlp_2_2), (("mlp_2_3", value) for value in mlp_2_3))
    ]
    return [CLASSES[max(range(len(CLASSES)), key=score.__getitem__)] for score in scores[1:]]
