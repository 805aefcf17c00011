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
    if query_position in {1, 2, 3}:
        return key_position == 2
    if query_position in {4}:
        return key_position == 3
    if query_position in {5, 7}:
        return key_position == 1
    if query_position in {6}:
        return key_position == 5
    if query_position in {8}:
        return key_position == 7
    return False


def matches_0_1(query_token, key_position):
    if query_token in {"(", ")", "{", "}"}:
        return key_position == 1
    return False


def matches_0_2(query_token, key_position):
    if query_token in {"(", "{"}:
        return key_position == 1
    if query_token in {")"}:
        return key_position == 8
    return False


def matches_0_3(query_token, key_token):
    if query_token in {")"}:
        return key_token == "("
    if query_token in {"}"}:
        return key_token == "{"
    return False


def holds_0_0(token, attn_0_0):
    if token in {"(", "{"} and attn_0_0 in {None}:
        return 2
    if token in {"(", "}"} and attn_0_0 in {"("}:
        return 3
    if token in {")"} and attn_0_0 in {"{"}:
        return 3
    if token in {"("} and attn_0_0 in {")"}:
        return 7
    if token in {")"} and attn_0_0 in {"(", "}"}:
        return 7
    if token in {"(", "{"} and attn_0_0 in {"{"}:
        return 4
    if token in {"("} and attn_0_0 in {"}"}:
        return 6
    if token in {"{"} and attn_0_0 in {")"}:
        return 6
    if token in {"{"} and attn_0_0 in {"("}:
        return None
    if token in {"{"} and attn_0_0 in {"}"}:
        return 1
    if token in {"}"} and attn_0_0 in {")", "{"}:
        return 5
    return 8


def holds_0_1(token, attn_0_1):
    if token in {"("} and attn_0_1 in {"(", "}"}:
        return 7
    if token in {"("} and attn_0_1 in {")"}:
        return 6
    if token in {"{"} and attn_0_1 in {")", "{"}:
        return 6
    if token in {"("} and attn_0_1 in {"{"}:
        return 3
    if token in {"{"} and attn_0_1 in {"("}:
        return 3
    if token in {")"} and attn_0_1 in {"("}:
        return 8
    if token in {"}"} and attn_0_1 in {"{"}:
        return 8
    if token in {")"} and attn_0_1 in {")"}:
        return 2
    if token in {")"} and attn_0_1 in {"}"}:
        return 5
    if token in {"}"} and attn_0_1 in {")", "}"}:
        return 5
    return 4


def holds_0_2(count_0_3, same_count_0_3):
    if count_0_3 in {0}:
        return 2
    if count_0_3 in {1}:
        return 4
    if count_0_3 in {2}:
        return None
    if count_0_3 in {3}:
        return 6
    return 7


def holds_0_3(count_0_3, count_0_2):
    if count_0_3 in {0} and count_0_2 in {0}:
        return 1
    if count_0_3 in {1} and count_0_2 in {1}:
        return 1
    if count_0_3 in {0} and count_0_2 in {1}:
        return 6
    if count_0_3 in {1} and count_0_2 in {0}:
        return 5
    if count_0_3 in {2} and count_0_2 in {0}:
        return 7
    if count_0_3 in {3} and count_0_2 in {1}:
        return 3
    if count_0_3 in {6} and count_0_2 in {1}:
        return 2
    return 4


def matches_1_0(query_position, key_position):
    if query_position in {1, 2, 5, 8}:
        return key_position == 1
    if query_position in {3, 4, 6}:
        return key_position == 3
    if query_position in {7}:
        return key_position == 8
    return False


def matches_1_1(query_position, key_mlp_0_3):
    if query_position in {1, 3, 4, 5, 6, 7, 8}:
        return key_mlp_0_3 == 1
    if query_position in {2}:
        return key_mlp_0_3 == 2
    return False


def matches_1_2(query_mlp_0_1, key_mlp_0_1):
    if query_mlp_0_1 in {2}:
        return key_mlp_0_1 == 2
    if query_mlp_0_1 in {3, 8}:
        return key_mlp_0_1 == 8
    if query_mlp_0_1 in {4, 5}:
        return key_mlp_0_1 == 4
    if query_mlp_0_1 in {6}:
        return key_mlp_0_1 == 7
    if query_mlp_0_1 in {7}:
        return key_mlp_0_1 == 5
    return False


def matches_1_3(query_mlp_0_1, key_mlp_0_0):
    if query_mlp_0_1 in {2, 7}:
        return key_mlp_0_0 == 7
    if query_mlp_0_1 in {3, 5, 6}:
        return key_mlp_0_0 == 5
    if query_mlp_0_1 in {4}:
        return key_mlp_0_0 == 6
    if query_mlp_0_1 in {8}:
        return key_mlp_0_0 == 8
    return False


def holds_1_0(attn_0_0, same_attn_0_0):
    if attn_0_0 in {None}:
        return 2
    if attn_0_0 in {")", "}"}:
        return 6
    return 7


def holds_1_1(attn_0_1, attn_0_0):
    if attn_0_1 in {"("} and attn_0_0 in {"(", "{"}:
        return 1
    if attn_0_1 in {"{"} and attn_0_0 in {"{"}:
        return 1
    if attn_0_1 in {"("} and attn_0_0 in {"}"}:
        return None
    if attn_0_1 in {")"} and attn_0_0 in {"{"}:
        return None
    if attn_0_1 in {"}"} and attn_0_0 in {"("}:
        return None
    if attn_0_1 in {")", "}"} and attn_0_0 in {None}:
        return 4
    if attn_0_1 in {")"} and attn_0_0 in {")"}:
        return 2
    if attn_0_1 in {"}"} and attn_0_0 in {"}"}:
        return 2
    if attn_0_1 in {")"} and attn_0_0 in {"}"}:
        return 8
    if attn_0_1 in {"}"} and attn_0_0 in {")"}:
        return 8
    if attn_0_1 in {"{"} and attn_0_0 in {None, "("}:
        return 3
    if attn_0_1 in {"{"} and attn_0_0 in {")"}:
        return 6
    return 7


def holds_1_2(count_1_3, count_0_3):
    if count_1_3 in {0} and count_0_3 in {0}:
        return 8
    if count_1_3 in {4} and count_0_3 in {2}:
        return 8
    if count_1_3 in {0} and count_0_3 in {1}:
        return 7
    if count_1_3 in {2} and count_0_3 in {3}:
        return 7
    if count_1_3 in {5} and count_0_3 in {2, 3}:
        return 7
    if count_1_3 in {0} and count_0_3 in {2, 5, 6}:
        return 3
    if count_1_3 in {1, 2} and count_0_3 in {0}:
        return 3
    if count_1_3 in {4} and count_0_3 in {0, 1}:
        return 3
    if count_1_3 in {5} and count_0_3 in {1}:
        return 3
    if count_1_3 in {0} and count_0_3 in {7}:
        return 2
    if count_1_3 in {1} and count_0_3 in {2}:
        return 2
    if count_1_3 in {2} and count_0_3 in {4}:
        return 2
    if count_1_3 in {1} and count_0_3 in {1}:
        return None
    if count_1_3 in {3} and count_0_3 in {4}:
        return None
    if count_1_3 in {1} and count_0_3 in {3, 4, 6}:
        return 6
    if count_1_3 in {4} and count_0_3 in {4}:
        return 6
    if count_1_3 in {2} and count_0_3 in {1}:
        return 5
    if count_1_3 in {3} and count_0_3 in {1, 3}:
        return 5
    if count_1_3 in {2} and count_0_3 in {2}:
        return 1
    return 4


def holds_1_3(count_1_2, count_0_3):
    if count_1_2 in {0} and count_0_3 in {0}:
        return 1
    if count_1_2 in {1, 4} and count_0_3 in {1}:
        return 1
    if count_1_2 in {0} and count_0_3 in {1}:
        return 5
    if count_1_2 in {1} and count_0_3 in {2}:
        return 5
    if count_1_2 in {2, 3} and count_0_3 in {4}:
        return 5
    if count_1_2 in {0} and count_0_3 in {2}:
        return None
    if count_1_2 in {1} and count_0_3 in {4}:
        return None
    if count_1_2 in {2} and count_0_3 in {2, 6}:
        return None
    if count_1_2 in {3} and count_0_3 in {3}:
        return None
    if count_1_2 in {5} and count_0_3 in {0}:
        return None
    if count_1_2 in {1} and count_0_3 in {0}:
        return 6
    if count_1_2 in {2} and count_0_3 in {1}:
        return 6
    if count_1_2 in {4} and count_0_3 in {2}:
        return 6
    if count_1_2 in {5} and count_0_3 in {2, 3}:
        return 6
    if count_1_2 in {1} and count_0_3 in {3}:
        return 7
    if count_1_2 in {6} and count_0_3 in {6}:
        return 7
    if count_1_2 in {2} and count_0_3 in {0}:
        return 3
    if count_1_2 in {4} and count_0_3 in {0, 4}:
        return 3
    if count_1_2 in {7} and count_0_3 in {1}:
        return 3
    if count_1_2 in {2} and count_0_3 in {3}:
        return 4
    if count_1_2 in {3} and count_0_3 in {0, 1, 2, 5}:
        return 8
    if count_1_2 in {4} and count_0_3 in {3}:
        return 8
    if count_1_2 in {5} and count_0_3 in {1}:
        return 8
    return 2


def matches_2_0(query_token, key_mlp_0_0):
    if query_token in {"(", "}"}:
        return key_mlp_0_0 == 5
    if query_token in {")", "{"}:
        return key_mlp_0_0 == 7
    return False


def holds_2_0(attn_1_1, same_attn_1_1):
    if attn_1_1 in {None}:
        return 6
    return 7


def holds_2_1(count_2_0, count_0_3):
    if count_2_0 in {0} and count_0_3 in {0}:
        return 6
    if count_2_0 in {3} and count_0_3 in {2}:
        return 6
    if count_2_0 in {5} and count_0_3 in {3}:
        return 6
    if count_2_0 in {0} and count_0_3 in {1, 3}:
        return 5
    if count_2_0 in {1} and count_0_3 in {0}:
        return 5
    if count_2_0 in {1} and count_0_3 in {1, 3}:
        return 3
    if count_2_0 in {4} and count_0_3 in {0}:
        return 3
    if count_2_0 in {5} and count_0_3 in {2}:
        return 3
    if count_2_0 in {1} and count_0_3 in {2, 7}:
        return 8
    if count_2_0 in {2} and count_0_3 in {3, 4}:
        return 8
    if count_2_0 in {2} and count_0_3 in {0, 1}:
        return None
    if count_2_0 in {4} and count_0_3 in {3}:
        return None
    if count_2_0 in {2} and count_0_3 in {2}:
        return 1
    if count_2_0 in {3} and count_0_3 in {0, 1, 3}:
        return 1
    if count_2_0 in {4} and count_0_3 in {1}:
        return 1
    if count_2_0 in {3} and count_0_3 in {4}:
        return 2
    if count_2_0 in {4} and count_0_3 in {2, 4}:
        return 2
    return 4


CLASSES = ["F", "P", "T"]
WEIGHTS = {
    "tokens": {
        None: [14, -170, -425],
        "(": [-627, 1908, -5048],
        ")": [1375, -1843, 990],
        "{": [-1071, 1695, -4099],
        "}": [2016, -1819, 1179],
    },
    "positions": {
        None: [-60, -13, -290],
        1: [-3297, 2356, -2402],
        2: [-1746, 249, 14074],
        3: [-71, 2150, -13430],
        4: [-345, -594, 912],
        5: [1448, 647, -16179],
        6: [703, -610, 1359],
        7: [757, 717, -9869],
        8: [785, -899, 894],
    },
    "attn_0_0": {
        None: [-1991, 909, -1150],
        "(": [-35, 2222, -2007],
        ")": [1695, -800, -915],
        "{": [-296, 729, 58],
        "}": [996, -1676, 658],
    },
    "attn_0_1": {
        None: [-22, 413, 140],
        "(": [-1539, -1, 302],
        ")": [4423, -5099, -3159],
        "{": [-1411, 779, -1608],
        "}": [4213, -4004, -1042],
    },
    "mlp_0_0": {
        None: [1096, -468, -1338],
        1: [-76, -210, -1468],
        2: [-2728, 2377, -1237],
        3: [1850, 448, -14720],
        4: [166, -392, -3047],
        5: [-996, 225, 881],
        6: [353, 601, -3129],
        7: [-1175, -1006, -13],
        8: [-15, 482, 1138],
    },
    "mlp_0_1": {
        None: [422, 1479, -512],
        2: [1778, -1859, -375],
        3: [-1186, 2167, -4096],
        4: [187, -240, -1555],
        5: [1123, -2141, -2379],
        6: [-293, 915, -1943],
        7: [-118, 1331, -2263],
        8: [789, -3027, 658],
    },
    "mlp_0_2": {
        None: [341, 453, -102],
        2: [2273, -1156, -10933],
        4: [-2410, 1925, 1416],
        6: [-389, 624, -87],
        7: [-1196, 3338, -6979],
    },
    "mlp_0_3": {
        None: [252, -793, -255],
        1: [-1284, -220, 4798],
        2: [-2377, 2062, -5048],
        3: [915, 744, -1364],
        4: [636, 1275, -601],
        5: [3703, -3009, -2162],
        6: [-344, -695, -4577],
        7: [-463, 865, -1096],
    },
    "attn_1_0": {
        None: [330, 918, -6379],
        "(": [-1281, 937, 1084],
        ")": [6736, -5581, -2995],
        "{": [-2143, 213, 262],
        "}": [5688, -5804, -4497],
    },
    "mlp_1_0": {
        None: [-993, -211, 709],
        2: [-1929, 1274, 154],
        6: [1032, -653, -2012],
        7: [535, -738, 686],
    },
    "mlp_1_1": {
        None: [-225, 1154, -2156],
        1: [1438, -89, -3426],
        2: [987, -409, -2077],
        3: [1404, -1133, 1213],
        4: [919, -1359, -394],
        6: [-792, -354, 1062],
        7: [106, 234, -1490],
        8: [-582, 995, -792],
    },
    "mlp_1_2": {
        None: [-1824, -245, 1445],
        1: [664, -651, 366],
        2: [367, -237, -795],
        3: [959, -141, -1731],
        4: [1079, 444, -281],
        5: [8050, -6309, -6873],
        6: [33, 538, 382],
        7: [-676, 1045, -1132],
        8: [685, -1354, -8207],
    },
    "mlp_1_3": {
        None: [-404, -887, 2409],
        1: [-274, 477, 1102],
        2: [538, 698, -9561],
        3: [732, -1877, 12333],
        4: [765, 2055, -14329],
        5: [852, 990, -13276],
        6: [818, -487, -16056],
        7: [-19, 1683, -15350],
        8: [2106, -1265, -15400],
    },
    "mlp_2_0": {
        None: [-330, 790, 154],
        6: [-2069, 2180, 2310],
        7: [4579, -1049, -3407],
    },
    "mlp_2_1": {
        None: [-31, 412, -5412],
        1: [238, 907, 1128],
        2: [-373, -964, -815],
        3: [851, 755, 216],
        4: [76, 477, -47],
        5: [1010, 395, -1469],
        6: [1197, -636, -9215],
        8: [-915, 800, -1091],
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
    mlp_0_1 = apply(holds_0_1, tokens, attn_0_1)
    mlp_0_2 = apply(holds_0_2, count_0_3, count_0_3)
    mlp_0_3 = apply(holds_0_3, count_0_3, count_0_2)
    attn_1_0 = aggregate(select_closest(positions, positions, matches_1_0), attn_0_1)
    attn_1_1 = aggregate(select_closest(positions, mlp_0_3, matches_1_1), tokens)
    count_1_2 = count(mlp_0_1, mlp_0_1, matches_1_2)
    count_1_3 = count(mlp_0_1, mlp_0_0, matches_1_3)
    mlp_1_0 = apply(holds_1_0, attn_0_0, attn_0_0)
    mlp_1_1 = apply(holds_1_1, attn_0_1, attn_0_0)
    mlp_1_2 = apply(holds_1_2, count_1_3, count_0_3)
    mlp_1_3 = apply(holds_1_3, count_1_2, count_0_3)
    count_2_0 = count(tokens, mlp_0_0, matches_2_0)
    mlp_2_0 = apply(holds_2_0, attn_1_1, attn_1_1)
    mlp_2_1 = apply(holds_2_1, count_2_0, count_0_3)
    scores = [
        [sum(weights) for weights in zip(*(WEIGHTS[name][value] for name, value in variables))]
        for variables in zip((("tokens", value) for value in tokens), (("positions", value) for value in positions), (("attn_0_0", value) for value in attn_0_0), (("attn_0_1", value) for value in attn_0_1), (("mlp_0_0", value) for value in mlp_0_0), (("mlp_0_1", value) for value in mlp_0_1), (("mlp_0_2", value) for value in mlp_0_2), (("mlp_0_3", value) for value in mlp_0_3), (("attn_1_0", value) for value in attn_1_0), (("mlp_1_0", value) for value in mlp_1_0), (("mlp_1_1", value) for value in mlp_1_1), (("mlp_1_2", value) for value in mlp_1_2), (("mlp_1_3", value) for value in mlp_1_3), (("mlp_2_0", value) for value in mlp_2_0), (("mlp_2_1", value) for value in mlp_2_1))
    ]
    return [CLASSES[max(range(len(CLASSES)), key=score.__getitem__)] for score in scores[1:]]
