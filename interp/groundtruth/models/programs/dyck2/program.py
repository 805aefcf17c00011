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
        None: [14, -170, -425],
        "(": [103, 1585, -7167],
        ")": [771, -1545, 1409],
        "{": [-601, 1190, -2219],
        "}": [655, -1144, 2017],
    },
    "positions": {
        None: [-60, -13, -290],
        1: [-1587, 1784, -2095],
        2: [-7243, -1853, 18770],
        3: [613, 1004, -10330],
        4: [-373, 678, -300],
        5: [1007, 810, -8289],
        6: [430, -100, 1400],
        7: [1103, 354, -8602],
        8: [1239, -107, -84],
    },
    "attn_0_0": {
        None: [-1019, 862, -547],
        "(": [288, 1062, -139],
        ")": [1102, -917, 677],
        "{": [19, 1052, -1063],
        "}": [388, -810, 412],
    },
    "attn_0_1": {
        None: [4063, -3475, -80],
        "(": [-1568, 64, -116],
        ")": [-774, -895, -444],
        "{": [-1138, 486, -1006],
        "}": [718, -585, 340],
    },
    "mlp_0_0": {
        None: [-566, 954, 51],
        2: [-179, 488, -1337],
        3: [1582, 641, -8559],
        4: [-404, 351, -4783],
        5: [677, -816, 619],
        6: [-17, 917, -6409],
        7: [-1488, -1135, 1215],
        8: [849, -317, 22],
    },
    "mlp_0_1": {
        None: [-312, 2391, -4798],
        1: [1213, -822, -3041],
        2: [144, -1424, 2203],
        3: [-360, 801, 309],
        4: [-872, 1050, -8776],
        5: [-1156, -2886, 842],
        6: [-177, 659, -7334],
        7: [1523, -538, -3782],
        8: [-1308, 490, -542],
    },
    "mlp_0_2": {
        None: [1181, -477, -208],
        1: [-670, -262, 681],
        2: [724, 669, -18057],
        3: [-742, 485, 295],
        7: [-361, 235, 344],
    },
    "mlp_0_3": {
        None: [653, -988, -703],
        1: [1866, 341, -186],
        2: [-173, -4, -698],
        3: [325, 285, -2318],
        4: [211, 417, 2004],
        5: [-158, -781, -647],
    },
    "attn_1_0": {
        None: [3349, -2408, 650],
        "(": [-787, 589, 175],
        ")": [7377, -5609, -6048],
        "{": [-2782, 1025, 288],
        "}": [4710, -8726, -2460],
    },
    "attn_1_1": {
        None: [-779, -893, 1184],
        "(": [-804, 345, -1299],
        ")": [-532, -217, 219],
        "{": [-856, 424, -1295],
        "}": [-307, -297, 598],
    },
    "mlp_1_0": {
        None: [-229, -799, -2680],
        1: [-11, -584, 577],
        2: [371, 149, 519],
        3: [581, 800, -1357],
        5: [-3625, 1913, -1225],
        6: [514, -654, -363],
        7: [-232, 327, -797],
    },
    "mlp_1_1": {
        None: [408, 109, -415],
        1: [1376, -169, -1568],
        2: [-248, 198, -773],
        8: [-1682, 1228, 346],
    },
    "mlp_1_2": {
        None: [-788, -240, 365],
        1: [399, -1222, -93],
        2: [904, -1126, -796],
        3: [35, -119, 744],
        4: [1315, 504, -212],
        5: [592, -90, -918],
        6: [1238, -499, -1086],
        7: [404, -508, -435],
        8: [150, -726, -1792],
    },
    "mlp_1_3": {
        None: [622, -152, -682],
        1: [-7, 634, -649],
        2: [-786, 1474, -362],
        3: [2302, -4844, 5520],
        4: [459, -348, -25],
        5: [1127, -566, 671],
        6: [151, -289, -1149],
        7: [603, 38, -746],
        8: [-41, -505, 469],
    },
    "attn_2_0": {
        None: [-12, 57, -3102],
        "(": [-1514, 1152, 11],
        ")": [6462, -5250, -8577],
        "{": [-116, 160, -482],
        "}": [252, 237, -23],
    },
    "attn_2_1": {
        None: [242, 556, 460],
        1: [215, 297, 215],
        2: [548, -1155, 1017],
        3: [979, 911, -2355],
        5: [323, 443, -915],
        6: [1313, -1136, 925],
        7: [931, -182, -543],
    },
    "mlp_2_0": {
        None: [511, 403, -1042],
        1: [-224, 59, -301],
        2: [753, -439, -1929],
        3: [-361, 716, 261],
        4: [292, 515, -847],
        5: [277, -258, -418],
        6: [246, 255, 1039],
        7: [514, 216, 73],
        8: [156, 709, -1148],
    },
    "mlp_2_1": {
        None: [168, 660, 518],
        1: [-306, 247, -733],
        4: [1467, 195, -927],
        8: [-879, 1900, -305],
    },
    "mlp_2_2": {
        None: [-312, -817, -1055],
        1: [217, 860, -186],
        2: [-1501, 538, 968],
        3: [768, -296, -164],
        4: [-660, 693, -470],
        6: [75, 119, -133],
        7: [1900, 440, -1456],
        8: [-842, 135, -100],
    },
    "mlp_2_3": {
        None: [74, -305, -2],
        1: [-2424, 320, 4813],
        2: [3666, -5033, -4454],
        3: [1157, 1677, -7973],
        4: [-1552, 733, 1335],
        6: [1918, -767, -5427],
        7: [-181, -276, -1848],
        8: [-778, 454, -1219],
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
