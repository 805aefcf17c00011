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
    if query_position in {1, 7, 8}:
        return key_position == 1
    if query_position in {2}:
        return key_position == 8
    if query_position in {3, 5}:
        return key_position == 2
    if query_position in {4, 6}:
        return key_position == 3
    if query_position in {9}:
        return key_position == 10
    return False


def matches_0_1(query_token, key_position):
    if query_token in {"("}:
        return key_position == 1
    if query_token in {")"}:
        return key_position == 2
    return False


def matches_0_2(query_position, key_token):
    if query_position in {1, 3, 6, 7, 8}:
        return key_token == ")"
    return False


def matches_0_3(query_position, key_token):
    if query_position in {1}:
        return key_token == "("
    if query_position in {2, 3, 4, 5, 7}:
        return key_token == ")"
    return False


def holds_0_0(position, token):
    if position in {1, 5} and token in {"("}:
        return 1
    if position in {8} and token in {")"}:
        return 1
    if position in {1} and token in {")"}:
        return 8
    if position in {2, 4} and token in {")"}:
        return 7
    if position in {3} and token in {"("}:
        return 10
    if position in {3, 5} and token in {")"}:
        return None
    if position in {8} and token in {"("}:
        return None
    if position in {6, 9, 10} and token in {"("}:
        return 6
    if position in {6} and token in {")"}:
        return 5
    if position in {7} and token in {"("}:
        return 5
    if position in {10} and token in {")"}:
        return 3
    return 2


def holds_0_1(attn_0_1, same_attn_0_1):
    if attn_0_1 in {"("}:
        return 7
    if attn_0_1 in {")"}:
        return 5
    return 4


def holds_0_2(count_0_3, count_0_2):
    if count_0_3 in {0} and count_0_2 in {0}:
        return 8
    if count_0_3 in {1} and count_0_2 in {1}:
        return 8
    if count_0_3 in {0} and count_0_2 in {1}:
        return 7
    if count_0_3 in {0, 2} and count_0_2 in {2}:
        return 6
    if count_0_3 in {7} and count_0_2 in {7}:
        return 6
    if count_0_3 in {0} and count_0_2 in {3, 7}:
        return 9
    if count_0_3 in {3} and count_0_2 in {3}:
        return 9
    if count_0_3 in {0} and count_0_2 in {4, 8}:
        return 1
    if count_0_3 in {3} and count_0_2 in {0}:
        return 1
    if count_0_3 in {4} and count_0_2 in {4}:
        return 1
    if count_0_3 in {1} and count_0_2 in {0}:
        return 5
    if count_0_3 in {2} and count_0_2 in {0}:
        return 4
    return 10


def holds_0_3(count_0_3, count_0_2):
    if count_0_3 in {0} and count_0_2 in {0, 4}:
        return 1
    if count_0_3 in {0} and count_0_2 in {1}:
        return 2
    if count_0_3 in {2} and count_0_2 in {2}:
        return 2
    if count_0_3 in {3} and count_0_2 in {0}:
        return 2
    if count_0_3 in {6} and count_0_2 in {6}:
        return 2
    if count_0_3 in {7} and count_0_2 in {7}:
        return 2
    if count_0_3 in {0} and count_0_2 in {2}:
        return 5
    if count_0_3 in {0} and count_0_2 in {3, 7}:
        return None
    if count_0_3 in {4} and count_0_2 in {0}:
        return None
    if count_0_3 in {0} and count_0_2 in {8}:
        return 6
    if count_0_3 in {1} and count_0_2 in {1}:
        return 10
    if count_0_3 in {2} and count_0_2 in {0}:
        return 10
    if count_0_3 in {3} and count_0_2 in {3}:
        return 7
    return 4


def matches_1_0(query_mlp_0_1, key_mlp_0_3):
    if query_mlp_0_1 in {4, 5, 7}:
        return key_mlp_0_3 == 2
    return False


def matches_1_1(query_mlp_0_1, key_position):
    if query_mlp_0_1 in {4}:
        return key_position == 2
    if query_mlp_0_1 in {5, 7}:
        return key_position == 3
    return False


def matches_1_2(query_mlp_0_0, key_attn_0_1):
    if query_mlp_0_0 in {1, 5, 6, 7, 8, 10}:
        return key_attn_0_1 == ")"
    return False


def matches_1_3(query_mlp_0_1, key_attn_0_1):
    if query_mlp_0_1 in {4, 7}:
        return key_attn_0_1 == ")"
    return False


def holds_1_0(count_1_2, count_0_3):
    if count_1_2 in {0} and count_0_3 in {0, 1}:
        return 7
    if count_1_2 in {2} and count_0_3 in {1}:
        return 7
    if count_1_2 in {0} and count_0_3 in {2}:
        return 2
    if count_1_2 in {0, 1} and count_0_3 in {3}:
        return 10
    if count_1_2 in {3} and count_0_3 in {0}:
        return 10
    if count_1_2 in {0} and count_0_3 in {5}:
        return 3
    if count_1_2 in {2} and count_0_3 in {2, 3, 5}:
        return 3
    if count_1_2 in {3} and count_0_3 in {2}:
        return 3
    if count_1_2 in {0} and count_0_3 in {6}:
        return 4
    if count_1_2 in {4} and count_0_3 in {1, 4}:
        return 4
    if count_1_2 in {5} and count_0_3 in {0, 5}:
        return 4
    if count_1_2 in {6} and count_0_3 in {2, 5}:
        return 4
    if count_1_2 in {9} and count_0_3 in {0}:
        return 4
    if count_1_2 in {0} and count_0_3 in {7}:
        return 6
    if count_1_2 in {3, 6} and count_0_3 in {4}:
        return 6
    if count_1_2 in {1} and count_0_3 in {0}:
        return None
    if count_1_2 in {3} and count_0_3 in {3}:
        return None
    if count_1_2 in {2} and count_0_3 in {0}:
        return 1
    return 8


def holds_1_1(count_1_3, count_0_2):
    if count_1_3 in {0} and count_0_2 in {0}:
        return 4
    if count_1_3 in {0} and count_0_2 in {1, 2}:
        return 9
    if count_1_3 in {1} and count_0_2 in {1}:
        return 9
    if count_1_3 in {0} and count_0_2 in {3}:
        return 3
    if count_1_3 in {0} and count_0_2 in {6}:
        return 8
    if count_1_3 in {1} and count_0_2 in {2, 6}:
        return 8
    if count_1_3 in {2} and count_0_2 in {4}:
        return 8
    if count_1_3 in {0} and count_0_2 in {7}:
        return None
    if count_1_3 in {1} and count_0_2 in {0}:
        return 6
    if count_1_3 in {5} and count_0_2 in {5}:
        return 6
    if count_1_3 in {1} and count_0_2 in {7}:
        return 5
    if count_1_3 in {2} and count_0_2 in {6}:
        return 5
    return 10


def matches_2_0(query_mlp_1_1, key_attn_0_0):
    if query_mlp_1_1 in {3, 6, 8, 10}:
        return key_attn_0_0 == ")"
    if query_mlp_1_1 in {4, 5, 9}:
        return key_attn_0_0 == "("
    return False


def holds_2_0(attn_0_0, attn_2_0):
    if attn_0_0 in {None} and attn_2_0 in {"("}:
        return 10
    if attn_0_0 in {"("} and attn_2_0 in {None}:
        return 4
    if attn_0_0 in {"("} and attn_2_0 in {"("}:
        return 1
    if attn_0_0 in {"("} and attn_2_0 in {")"}:
        return 6
    if attn_0_0 in {")"} and attn_2_0 in {None, ")"}:
        return 8
    if attn_0_0 in {")"} and attn_2_0 in {"("}:
        return 9
    return None


def holds_2_1(count_1_3, count_1_2):
    if count_1_3 in {0} and count_1_2 in {0}:
        return 7
    if count_1_3 in {0} and count_1_2 in {1, 2}:
        return 1
    if count_1_3 in {0} and count_1_2 in {3, 6, 8}:
        return 5
    if count_1_3 in {3, 8} and count_1_2 in {0}:
        return 5
    if count_1_3 in {0} and count_1_2 in {5}:
        return 10
    if count_1_3 in {1} and count_1_2 in {1}:
        return 4
    if count_1_3 in {7} and count_1_2 in {7}:
        return 4
    if count_1_3 in {2} and count_1_2 in {0}:
        return 9
    if count_1_3 in {8} and count_1_2 in {8}:
        return None
    return 3


CLASSES = ["F", "P", "T"]
WEIGHTS = {
    "tokens": {
        None: [212, 560, 773],
        "(": [1740, 178, -17628],
        ")": [-1405, 348, 2170],
    },
    "positions": {
        None: [-533, 54, -753],
        1: [-1535, 1273, -3163],
        2: [-3173, 822, 1249],
        3: [3555, -780, -3517],
        4: [824, -1017, -5101],
        5: [-704, 2558, -23373],
        6: [-316, -1199, 2739],
        7: [106, 1771, -12145],
        8: [-1857, 757, -68],
        9: [798, 355, -7477],
        10: [-252, -1000, 237],
    },
    "attn_0_1": {
        None: [2379, -2517, -378],
        "(": [-1644, 1332, 457],
        ")": [1938, -1022, -2142],
    },
    "mlp_0_0": {
        None: [242, 767, -19232],
        1: [-1523, 751, 202],
        2: [2743, -391, -14461],
        3: [1741, -1313, 252],
        5: [498, -1676, 2669],
        6: [33, 1050, -6521],
        7: [5020, 328, -1591],
        8: [2523, -2454, 923],
        10: [-3211, 2587, -2062],
    },
    "mlp_0_2": {
        None: [124, -8, 103],
        1: [4241, -22293, 1157],
        4: [3314, -2323, -4718],
        5: [-2653, 3215, 377],
        6: [425, 1428, -15813],
        7: [-5007, 10079, -7228],
        8: [-1484, 1370, -902],
        9: [979, -1515, 1181],
        10: [17591, -15142, -5471],
    },
    "attn_1_0": {
        None: [-211, -431, 2220],
        "(": [68, -230, -501],
        ")": [1694, -2255, -2149],
    },
    "attn_1_1": {
        None: [-1016, 1432, -241],
        "(": [-1309, 1176, -264],
        ")": [2126, -1467, -2270],
    },
    "mlp_1_0": {
        None: [-1951, 2336, -4749],
        1: [-598, 2924, -9623],
        2: [-252, -350, 33584],
        3: [-1193, 908, 18839],
        4: [11455, -11642, -3222],
        6: [669, -938, -55],
        7: [548, -793, -1078],
        8: [-1709, -346, 4827],
        10: [-669, 1368, -626],
    },
    "attn_2_0": {
        None: [6559, -3812, -6276],
        "(": [-1857, 1999, -480],
        ")": [1103, -331, 442],
    },
    "mlp_2_0": {
        None: [519, 13, 619],
        1: [-45, 832, -506],
        4: [-4583, 4152, 2239],
        6: [-794, 2558, -66],
        8: [14443, -14964, -9497],
        9: [377, -290, -5729],
        10: [1974, -1604, -258],
    },
    "mlp_2_1": {
        None: [3943, -4443, -479],
        1: [927, -2409, 9180],
        3: [2232, -1932, -4636],
        4: [3409, -3171, -2193],
        5: [925, -2298, -2501],
        7: [-1622, 1502, 617],
        9: [2670, -2174, -8624],
        10: [9583, -11564, -4088],
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
    mlp_0_1 = apply(holds_0_1, attn_0_1, attn_0_1)
    mlp_0_2 = apply(holds_0_2, count_0_3, count_0_2)
    mlp_0_3 = apply(holds_0_3, count_0_3, count_0_2)
    attn_1_0 = aggregate(select_closest(mlp_0_1, mlp_0_3, matches_1_0), tokens)
    attn_1_1 = aggregate(select_closest(mlp_0_1, positions, matches_1_1), tokens)
    count_1_2 = count(mlp_0_0, attn_0_1, matches_1_2)
    count_1_3 = count(mlp_0_1, attn_0_1, matches_1_3)
    mlp_1_0 = apply(holds_1_0, count_1_2, count_0_3)
    mlp_1_1 = apply(holds_1_1, count_1_3, count_0_2)
    attn_2_0 = aggregate(select_closest(mlp_1_1, attn_0_0, matches_2_0), attn_0_1)
    mlp_2_0 = apply(holds_2_0, attn_0_0, attn_2_0)
    mlp_2_1 = apply(holds_2_1, count_1_3, count_1_2)
    scores = [
        [sum(weights) for weights in zip(*(WEIGHTS[name][value] for name, value in variables))]
        for variables in zip((("tokens", value) for value in tokens), (("positions", value) for value in positions), (("attn_0_1", value) for value in attn_0_1), (("mlp_0_0", value) for value in mlp_0_0), (("mlp_0_2", value) for value in mlp_0_2), (("attn_1_0", value) for value in attn_1_0), (("attn_1_1", value) for value in attn_1_1), (("mlp_1_0", value) for value in mlp_1_0), (("attn_2_0", value) for value in attn_2_0), (("mlp_2_0", value) for value in mlp_2_0), (("mlp_2_1", value) for value in mlp_2_1))
    ]
    return [CLASSES[max(range(len(CLASSES)), key=score.__getitem__)] for score in scores[1:]]
