"""learned_dyck1: whether brackets so far are balanced (T), can be (P), or cannot (F)."""


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
    if query_position in {1, 2, 3, 9}:
        return key_position == 1
    if query_position in {4, 7}:
        return key_position == 3
    if query_position in {5}:
        return key_position == 4
    if query_position in {6, 10}:
        return key_position == 5
    if query_position in {8}:
        return key_position == 7
    return False


def matches_0_1(query_token, key_position):
    if query_token in {"("}:
        return key_position == 1
    if query_token in {")"}:
        return key_position == 2
    return False


def matches_0_2(query_position, key_token):
    if query_position in {1, 3, 4, 7, 10}:
        return key_token == ")"
    if query_position in {6}:
        return key_token == "("
    return False


def matches_0_3(query_position, key_token):
    if query_position in {3, 4, 6, 9}:
        return key_token == ")"
    if query_position in {5}:
        return key_token == "("
    return False


def holds_0_0(position, token):
    if position in {1, 4} and token in {")"}:
        return 5
    if position in {7} and token in {"("}:
        return 5
    if position in {2} and token in {")"}:
        return 7
    if position in {9} and token in {"("}:
        return 7
    if position in {3, 7} and token in {")"}:
        return None
    if position in {4, 5} and token in {"("}:
        return 2
    if position in {9} and token in {")"}:
        return 2
    if position in {5} and token in {")"}:
        return 6
    if position in {8} and token in {"("}:
        return 6
    if position in {6} and token in {"("}:
        return 3
    if position in {6} and token in {")"}:
        return 9
    if position in {8} and token in {")"}:
        return 10
    if position in {10} and token in {"("}:
        return 4
    return 1


def holds_0_1(token, attn_0_1):
    if token in {"("} and attn_0_1 in {"("}:
        return 7
    if token in {")"} and attn_0_1 in {None}:
        return 5
    if token in {")"} and attn_0_1 in {"("}:
        return 2
    if token in {")"} and attn_0_1 in {")"}:
        return 10
    return None


def holds_0_2(count_0_3, count_0_2):
    if count_0_3 in {0} and count_0_2 in {0, 2}:
        return 8
    if count_0_3 in {0} and count_0_2 in {1}:
        return 9
    if count_0_3 in {3} and count_0_2 in {3}:
        return 9
    if count_0_3 in {0} and count_0_2 in {3, 9}:
        return 7
    if count_0_3 in {3} and count_0_2 in {0}:
        return 7
    if count_0_3 in {0} and count_0_2 in {4}:
        return 4
    if count_0_3 in {0} and count_0_2 in {5}:
        return 1
    if count_0_3 in {1, 5, 6} and count_0_2 in {0}:
        return 1
    if count_0_3 in {1} and count_0_2 in {1}:
        return 3
    if count_0_3 in {2} and count_0_2 in {4}:
        return 3
    if count_0_3 in {1} and count_0_2 in {5}:
        return 2
    if count_0_3 in {2, 4, 7} and count_0_2 in {0}:
        return 6
    if count_0_3 in {2} and count_0_2 in {2}:
        return None
    return 10


def holds_0_3(count_0_2, count_0_3):
    if count_0_2 in {0, 3} and count_0_3 in {0}:
        return 4
    if count_0_2 in {4} and count_0_3 in {4}:
        return 4
    if count_0_2 in {0} and count_0_3 in {1}:
        return 5
    if count_0_2 in {2} and count_0_3 in {0}:
        return 5
    if count_0_2 in {0} and count_0_3 in {3}:
        return 8
    if count_0_2 in {1} and count_0_3 in {1}:
        return 8
    if count_0_2 in {0} and count_0_3 in {4}:
        return 6
    if count_0_2 in {4} and count_0_3 in {2}:
        return 6
    if count_0_2 in {5} and count_0_3 in {1}:
        return 6
    if count_0_2 in {1, 10} and count_0_3 in {0}:
        return 7
    if count_0_2 in {2} and count_0_3 in {2}:
        return 2
    if count_0_2 in {3} and count_0_3 in {3}:
        return 2
    if count_0_2 in {4} and count_0_3 in {0}:
        return 2
    if count_0_2 in {2} and count_0_3 in {4}:
        return 10
    if count_0_2 in {7, 8, 9} and count_0_3 in {0}:
        return 10
    return None


def matches_1_0(query_mlp_0_2, key_position):
    if query_mlp_0_2 in {1, 3, 10}:
        return key_position == 1
    if query_mlp_0_2 in {2, 7, 8, 9}:
        return key_position == 2
    if query_mlp_0_2 in {4}:
        return key_position == 4
    if query_mlp_0_2 in {6}:
        return key_position == 5
    return False


def matches_1_1(query_position, key_position):
    if query_position in {1}:
        return key_position == 1
    if query_position in {2}:
        return key_position == 4
    if query_position in {3}:
        return key_position == 2
    if query_position in {4, 5, 6, 7, 8, 9, 10}:
        return key_position == 3
    return False


def matches_1_2(query_mlp_0_1, key_mlp_0_3):
    if query_mlp_0_1 in {2, 5, 7, 10}:
        return key_mlp_0_3 == 2
    return False


def holds_1_0(attn_1_0, attn_0_0):
    if attn_1_0 in {None} and attn_0_0 in {"("}:
        return 10
    if attn_1_0 in {"("} and attn_0_0 in {"("}:
        return 4
    if attn_1_0 in {"("} and attn_0_0 in {")"}:
        return 7
    if attn_1_0 in {")"} and attn_0_0 in {"("}:
        return 9
    if attn_1_0 in {")"} and attn_0_0 in {")"}:
        return 5
    return 2


def holds_1_1(attn_1_1, attn_0_0):
    if attn_1_1 in {None} and attn_0_0 in {"("}:
        return 10
    if attn_1_1 in {"("} and attn_0_0 in {"("}:
        return 8
    if attn_1_1 in {"("} and attn_0_0 in {")"}:
        return 3
    if attn_1_1 in {")"} and attn_0_0 in {"("}:
        return 9
    return 2


def matches_2_0(query_mlp_1_0, key_attn_1_1):
    if query_mlp_1_0 in {2, 4, 5, 7, 9, 10}:
        return key_attn_1_1 == "("
    return False


def holds_2_0(count_1_2, count_0_2):
    if count_1_2 in {0} and count_0_2 in {0, 1}:
        return None
    if count_1_2 in {0} and count_0_2 in {2}:
        return 6
    if count_1_2 in {1} and count_0_2 in {2, 3}:
        return 6
    if count_1_2 in {0, 3} and count_0_2 in {3}:
        return 9
    if count_1_2 in {0} and count_0_2 in {5}:
        return 8
    if count_1_2 in {1} and count_0_2 in {0, 1}:
        return 8
    if count_1_2 in {0} and count_0_2 in {6}:
        return 4
    if count_1_2 in {1, 2, 3, 4} and count_0_2 in {5}:
        return 4
    if count_1_2 in {1} and count_0_2 in {10}:
        return 3
    if count_1_2 in {5} and count_0_2 in {4}:
        return 3
    if count_1_2 in {2} and count_0_2 in {0, 1, 2}:
        return 7
    if count_1_2 in {3} and count_0_2 in {0}:
        return 7
    if count_1_2 in {2} and count_0_2 in {3}:
        return 1
    return 5


CLASSES = ["F", "P", "T"]
WEIGHTS = {
    "mlp_0_0": {
        None: [4576, -1231, -14711],
        1: [-1572, 2841, -953],
        2: [1606, 2258, -23770],
        3: [-334, 8743, -9189],
        4: [1394, -1233, -9852],
        5: [465, -845, -6584],
        6: [1446, -450, -9433],
        7: [1574, -2108, 1377],
        9: [17, -10034, 13582],
        10: [48, -1199, 871],
    },
    "mlp_0_1": {
        None: [18388, -16222, -4964],
        2: [850, -1222, 297],
        5: [1118, -1590, 314],
        7: [-1034, 3307, -24586],
        10: [1631, 391, 1129],
    },
    "mlp_0_2": {
        None: [-10414, -11312, 15029],
        1: [2818, -15982, 2532],
        2: [-3737, 18579, -17715],
        3: [-10849, 11296, -13018],
        4: [-1016, 2486, -6322],
        6: [739, -801, -5964],
        7: [-1914, 2260, -14217],
        8: [-1384, 673, -514],
        9: [3135, -9260, -5557],
        10: [10178, -5520, -23082],
    },
    "attn_1_0": {
        None: [6738, -8637, -3602],
        "(": [-1372, 698, 1125],
        ")": [2502, -2593, -1195],
    },
    "mlp_1_1": {
        None: [852, 88, -315],
        2: [18681, -14250, -8414],
        3: [1376, -1086, 262],
        8: [-3239, 3339, 45],
        9: [21081, -19805, -7432],
        10: [-5706, -7962, 9030],
    },
    "attn_2_0": {
        None: [8018, -4960, -6950],
        "(": [-2627, -835, 390],
        ")": [3412, -2496, -880],
    },
    "mlp_2_0": {
        None: [-12346, 3625, -1793],
        1: [597, -4075, 11623],
        3: [2218, -935, 70],
        4: [1955, 648, -522],
        5: [3014, -1091, -15688],
        6: [-8289, 9041, 1434],
        7: [3004, -2686, 1429],
        8: [-2602, 1196, 591],
        9: [-1424, 14482, -26516],
    },
}


def run(tokens):
    """The answer at every position; `None` stands for the start of the sequence, and for nothing."""
    tokens = [None, *tokens]
    positions = [None, *range(1, len(tokens))]
    attn_0_0 = aggregate(select_closest(positions, positions, matches_0_0), tokens)
    attn_0_1 = aggregate(select_closest(tokens, positions, matches_0_1), tokens)
    count_0_2 = count(positions, tokens, matches_0_2)
    count_0_3 = count(positions, tokens, matches_0_3)
    mlp_0_0 = apply(holds_0_0, positions, tokens)
    mlp_0_1 = apply(holds_0_1, tokens, attn_0_1)
    mlp_0_2 = apply(holds_0_2, count_0_3, count_0_2)
    mlp_0_3 = apply(holds_0_3, count_0_2, count_0_3)
    attn_1_0 = aggregate(select_closest(mlp_0_2, positions, matches_1_0), attn_0_1)
    attn_1_1 = aggregate(select_closest(positions, positions, matches_1_1), attn_0_1)
    count_1_2 = count(mlp_0_1, mlp_0_3, matches_1_2)
    mlp_1_0 = apply(holds_1_0, attn_1_0, attn_0_0)
    mlp_1_1 = apply(holds_1_1, attn_1_1, attn_0_0)
    attn_2_0 = aggregate(select_closest(mlp_1_0, attn_1_1, matches_2_0), attn_0_0)
    mlp_2_0 = apply(holds_2_0, count_1_2, count_0_2)
    scores = [
        [sum(weights) for weights in zip(*(WEIGHTS[name][value] for name, value in variables))]
        for variables in zip((("mlp_0_0", value) for value in mlp_0_0), (("mlp_0_1", value) for value in mlp_0_1), (("mlp_0_2", value) for value in mlp_0_2), (("attn_1_0", value) for value in attn_1_0), (("mlp_1_1", value) for value in mlp_1_1), (("attn_2_0", value) for value in attn_2_0), (("mlp_2_0", value) for value in mlp_2_0))
    ]
    return [CLASSES[max(range(len(CLASSES)), key=score.__getitem__)] for score in scores[1:]]
