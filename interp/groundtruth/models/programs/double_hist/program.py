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



def matches_0_0(query_position, key_position):
    if query_position in {1, 3}:
        return key_position == 3
    if query_position in {2, 4, 6}:
        return key_position == 4
    if query_position in {5}:
        return key_position == 6
    if query_position in {7}:
        return key_position == 1
    return False


def matches_0_1(query_token, key_token):
    if query_token in {"0", "2", "5"}:
        return key_token == "3"
    if query_token in {"1", "3"}:
        return key_token == "0"
    if query_token in {"4"}:
        return key_token == "5"
    return False


def matches_0_2(query_token, key_token):
    if query_token in {"0"}:
        return key_token == "0"
    if query_token in {"1"}:
        return key_token == "1"
    return False


def matches_0_3(query_position, key_token):
    if query_position in {1, 3, 4, 5, 7}:
        return key_token == "4"
    if query_position in {2}:
        return key_token == "2"
    return False


def holds_0_0(attn_0_0, same_attn_0_0):
    if attn_0_0 in {3}:
        return 7
    if attn_0_0 in {4}:
        return 3
    return 4


def holds_0_1(count_0_2, same_count_0_2):
    if count_0_2 in {0}:
        return 4
    if count_0_2 in {1}:
        return 5
    if count_0_2 in {2}:
        return 2
    return 6


def holds_0_2(count_0_2, count_0_3):
    if count_0_2 in {0, 2} and count_0_3 in {0, 2}:
        return 5
    if count_0_2 in {1} and count_0_3 in {5}:
        return 5
    if count_0_2 in {4, 5} and count_0_3 in {1}:
        return 5
    if count_0_2 in {0} and count_0_3 in {1}:
        return 1
    if count_0_2 in {0} and count_0_3 in {6}:
        return 4
    if count_0_2 in {1} and count_0_3 in {1}:
        return 4
    if count_0_2 in {6} and count_0_3 in {0}:
        return 4
    if count_0_2 in {1} and count_0_3 in {0, 4}:
        return 3
    if count_0_2 in {1} and count_0_3 in {2}:
        return 2
    if count_0_2 in {2, 3} and count_0_3 in {1}:
        return 2
    return None


def matches_1_0(query_token, key_token):
    if query_token in {"0", "1", "3"}:
        return key_token == "5"
    if query_token in {"2", "5"}:
        return key_token == "0"
    if query_token in {"4"}:
        return key_token == "3"
    return False


def matches_1_1(query_attn_0_0, key_position):
    if query_attn_0_0 in {1, 2, 7}:
        return key_position == 3
    if query_attn_0_0 in {3, 4}:
        return key_position == 5
    if query_attn_0_0 in {5}:
        return key_position == 2
    if query_attn_0_0 in {6}:
        return key_position == 7
    return False


def matches_1_2(query_token, key_token):
    if query_token in {"0", "1", "3", "5"}:
        return key_token == "3"
    if query_token in {"2"}:
        return key_token == "5"
    return False


def holds_1_0(attn_0_1, same_attn_0_1):
    if attn_0_1 in {5}:
        return None
    if attn_0_1 in {7}:
        return 3
    return 7


def holds_1_1(count_1_2, count_0_3):
    if count_1_2 in {0} and count_0_3 in {1}:
        return 4
    if count_1_2 in {0, 2} and count_0_3 in {4}:
        return 5
    if count_1_2 in {3} and count_0_3 in {0, 2}:
        return 5
    if count_1_2 in {4} and count_0_3 in {0, 1, 3}:
        return 5
    if count_1_2 in {5} and count_0_3 in {0}:
        return 5
    if count_1_2 in {0} and count_0_3 in {5, 6}:
        return 2
    if count_1_2 in {1} and count_0_3 in {1, 5, 6}:
        return 2
    if count_1_2 in {3, 5} and count_0_3 in {1}:
        return 2
    if count_1_2 in {4} and count_0_3 in {2}:
        return 2
    if count_1_2 in {1} and count_0_3 in {0}:
        return 1
    if count_1_2 in {1, 2} and count_0_3 in {2}:
        return 3
    if count_1_2 in {1} and count_0_3 in {4}:
        return 6
    return None


def holds_1_2(count_0_3, count_0_2):
    if count_0_3 in {0} and count_0_2 in {0}:
        return 3
    if count_0_3 in {3, 4} and count_0_2 in {1}:
        return 3
    if count_0_3 in {0} and count_0_2 in {1}:
        return 2
    if count_0_3 in {0, 1} and count_0_2 in {2}:
        return 5
    if count_0_3 in {2} and count_0_2 in {0, 1}:
        return 5
    if count_0_3 in {3} and count_0_2 in {3}:
        return 5
    if count_0_3 in {5} and count_0_2 in {1}:
        return 5
    if count_0_3 in {1} and count_0_2 in {0}:
        return 4
    if count_0_3 in {1} and count_0_2 in {1}:
        return 7
    if count_0_3 in {2} and count_0_2 in {2}:
        return 7
    return 1


def matches_2_0(query_attn_1_1, key_position):
    if query_attn_1_1 in {1, 2}:
        return key_position == 3
    if query_attn_1_1 in {3, 5, 7}:
        return key_position == 2
    if query_attn_1_1 in {4}:
        return key_position == 5
    if query_attn_1_1 in {6}:
        return key_position == 7
    return False


def matches_2_1(query_mlp_0_0, key_mlp_0_1):
    if query_mlp_0_0 in {3, 7}:
        return key_mlp_0_1 == 4
    if query_mlp_0_0 in {4}:
        return key_mlp_0_1 == 5
    return False


def matches_2_2(query_token, key_token):
    if query_token in {"0", "1", "2", "3", "4", "5"}:
        return key_token == "1"
    return False


def matches_2_3(query_attn_0_1, key_mlp_0_2):
    if query_attn_0_1 in {2, 3}:
        return key_mlp_0_2 == 4
    if query_attn_0_1 in {6, 7}:
        return key_mlp_0_2 == 5
    return False


def holds_2_0(attn_0_1, attn_1_0):
    if attn_0_1 in {None} and attn_1_0 in {None, 7}:
        return None
    if attn_0_1 in {None} and attn_1_0 in {1, 2, 6}:
        return 3
    if attn_0_1 in {2, 3, 4, 7} and attn_1_0 in {None}:
        return 3
    if attn_0_1 in {None} and attn_1_0 in {4}:
        return 1
    if attn_0_1 in {3} and attn_1_0 in {4, 5}:
        return 1
    if attn_0_1 in {4} and attn_1_0 in {6}:
        return 1
    if attn_0_1 in {6} and attn_1_0 in {3, 4, 5}:
        return 1
    if attn_0_1 in {None} and attn_1_0 in {5}:
        return 2
    if attn_0_1 in {1, 5, 6} and attn_1_0 in {None}:
        return 2
    if attn_0_1 in {1} and attn_1_0 in {2}:
        return 5
    if attn_0_1 in {4} and attn_1_0 in {5}:
        return 5
    if attn_0_1 in {5} and attn_1_0 in {1, 3, 4}:
        return 5
    if attn_0_1 in {1} and attn_1_0 in {3, 4, 5, 6}:
        return 7
    if attn_0_1 in {2} and attn_1_0 in {1, 4, 6}:
        return 7
    if attn_0_1 in {3, 6} and attn_1_0 in {1, 2}:
        return 7
    if attn_0_1 in {4} and attn_1_0 in {1}:
        return 7
    if attn_0_1 in {5} and attn_1_0 in {6}:
        return 7
    if attn_0_1 in {2} and attn_1_0 in {3, 5}:
        return 4
    if attn_0_1 in {3} and attn_1_0 in {6}:
        return 4
    if attn_0_1 in {4} and attn_1_0 in {2, 3}:
        return 4
    if attn_0_1 in {5} and attn_1_0 in {2}:
        return 4
    return 6


def holds_2_1(count_2_2, count_0_2):
    if count_2_2 in {0} and count_0_2 in {2, 3, 5}:
        return 6
    if count_2_2 in {1} and count_0_2 in {2, 3}:
        return 6
    if count_2_2 in {2} and count_0_2 in {0, 2, 3}:
        return 6
    if count_2_2 in {3} and count_0_2 in {0, 3}:
        return 6
    if count_2_2 in {4} and count_0_2 in {3}:
        return 6
    if count_2_2 in {5} and count_0_2 in {1}:
        return 6
    if count_2_2 in {1} and count_0_2 in {0}:
        return 2
    if count_2_2 in {1} and count_0_2 in {1}:
        return 5
    if count_2_2 in {2} and count_0_2 in {1}:
        return 1
    if count_2_2 in {3} and count_0_2 in {1}:
        return 3
    return 4


def holds_2_2(count_2_3, count_1_2):
    if count_2_3 in {0} and count_1_2 in {1}:
        return 3
    if count_2_3 in {6} and count_1_2 in {3}:
        return 3
    if count_2_3 in {1} and count_1_2 in {0}:
        return 4
    if count_2_3 in {1} and count_1_2 in {1}:
        return 5
    if count_2_3 in {1, 6, 7} and count_1_2 in {2}:
        return 1
    if count_2_3 in {2} and count_1_2 in {0, 1, 2}:
        return 1
    if count_2_3 in {3, 5} and count_1_2 in {1}:
        return 1
    if count_2_3 in {1, 2} and count_1_2 in {4}:
        return 6
    if count_2_3 in {4} and count_1_2 in {0, 1, 2}:
        return 6
    if count_2_3 in {5} and count_1_2 in {2}:
        return 6
    if count_2_3 in {6} and count_1_2 in {0, 1, 5}:
        return 6
    if count_2_3 in {7} and count_1_2 in {0, 1}:
        return 6
    return None


CLASSES = ["1", "2", "3", "4", "5", "6"]
WEIGHTS = {
    "tokens": {
        None: [2, 566, 417, -566, 739, 598],
        "0": [-142, 95, 219, -40, 46, -362],
        "1": [666, 679, 273, -1542, -2286, -3085],
        "2": [246, 230, -82, 462, 296, -341],
        "3": [-211, -169, -366, 12, -203, -1047],
        "4": [-567, -606, -662, 584, 1968, 4184],
        "5": [201, 207, -115, 573, 281, -1020],
    },
    "positions": {
        None: [-310, -159, -286, 267, 414, -475],
        1: [861, 536, -1704, 311, -63, -294],
        2: [-181, 195, 1583, 434, -1220, -2464],
        3: [1174, 871, -1192, 681, 175, -199],
        4: [-257, 177, 1624, 796, -372, -528],
        5: [342, -354, 1561, -1196, 1419, -40],
        6: [-1564, -993, 998, 1543, 232, 5246],
        7: [-187, -279, 333, -382, -1076, -9596],
    },
    "attn_0_0": {
        None: [233, -1254, 220, -8943, 3270, -7423],
        1: [-891, 111, 168, -466, -1047, -4479],
        2: [-143, 847, 188, 584, -392, -294],
        3: [717, -2414, 2761, 21, 298, -709],
        4: [-478, 2731, -4808, 1517, -955, -106],
        5: [-36, -166, 1220, -866, 356, 198],
        6: [476, -347, -80, 2411, -4356, 2439],
        7: [401, 1130, 91, -1822, 1364, -12002],
    },
    "attn_0_1": {
        None: [687, 232, 652, -548, -1620, -14056],
        1: [264, -298, 433, 463, 1483, 1655],
        2: [208, 213, 569, -32, 190, -98],
        3: [337, 43, 929, 374, 286, -128],
        4: [108, -330, 66, 798, 1057, 809],
        5: [705, -157, -309, -204, 1262, 1791],
        6: [390, 192, 330, 408, -793, 618],
        7: [2503, 202, 92, -1450, -246, -13451],
    },
    "mlp_0_0": {
        None: [-1065, 1925, -607, -603, 234, 12],
        3: [1363, -3143, 2558, -1048, 431, -910],
        4: [354, 1644, -1205, -1465, 802, -807],
        7: [-749, 1389, -793, 583, -827, -224],
    },
    "mlp_0_1": {
        None: [-405, -64, 839, 385, 570, -1284],
        2: [919, 399, -456, -10574, -9631, -3154],
        4: [-431, 524, 428, 946, 119, -1171],
        5: [-898, -733, 1023, 1282, 478, 125],
        6: [1742, 803, -10010, -9262, -4059, -3340],
    },
    "mlp_0_2": {
        None: [-648, 1120, -447, 2394, -7472, -3325],
        1: [-70, 191, 440, 476, 616, 237],
        2: [388, 692, -1, -398, -1734, -2558],
        3: [66, 1224, 612, 53, -1459, -1454],
        4: [-501, -201, -931, 928, 828, 546],
        5: [551, 447, 1419, -193, -962, -1917],
    },
    "attn_1_0": {
        None: [852, 781, 774, -882, -2766, -8423],
        1: [17, 26, 546, 804, 1479, 1517],
        2: [-204, 159, 420, 397, 969, 222],
        3: [-193, -65, 679, 796, 806, -143],
        4: [-221, 18, 245, 977, 816, 568],
        5: [-198, -35, 415, 543, 1068, 945],
        6: [-197, 43, 80, 1123, 295, 1285],
        7: [97, 232, 710, 990, 1836, -5906],
    },
    "attn_1_1": {
        None: [-166, 240, 1576, 1119, 619, 323],
        1: [1054, -228, -548, 484, -618, 398],
        2: [139, 372, 651, 41, -211, -282],
        3: [1060, -1971, 779, 116, 108, -3681],
        4: [184, 847, -2014, -32, -848, -57],
        5: [530, 467, 539, -1846, 924, 179],
        6: [906, 414, -950, 2225, -2505, 1039],
        7: [475, -109, 1218, -642, 2138, -15043],
    },
    "mlp_1_0": {
        None: [1542, 464, 468, 482, -193, -1166],
        3: [-445, 31, -99, 550, -135, 614],
        7: [1606, 62, -601, -682, -714, -863],
    },
    "mlp_1_1": {
        None: [417, 1136, 482, -295, -1405, -6598],
        1: [818, 813, 403, 156, 463, -279],
        2: [387, -555, -239, 78, 187, 3123],
        3: [-455, 441, 456, 1253, 2650, -4011],
        4: [-248, 435, 717, 188, -735, -2703],
        5: [908, 226, -795, 175, -8009, -5468],
        6: [-880, 149, 1415, -7684, -1738, -288],
    },
    "mlp_1_2": {
        None: [-384, 166, 181, 135, 162, 839],
        1: [1947, -1290, 466, -660, -5348, -3147],
        2: [594, 85, -229, 112, -123, -1411],
        3: [518, 360, 162, 457, -513, -1489],
        4: [-411, -206, 186, 574, 746, 436],
        5: [267, 469, -64, -3, -1205, -7495],
        7: [-11294, 483, 738, 620, 760, 1172],
    },
    "attn_2_0": {
        None: [802, 771, -61, 632, -2573, -1248],
        1: [-1003, -501, 253, 607, 2350, 2943],
        2: [-845, 520, 876, 1153, 1361, -10146],
        3: [74, 747, 850, -818, -282, -11164],
        4: [-988, -530, 233, 471, 2789, 3335],
        5: [475, 1514, 1747, 83, -415, -14469],
    },
    "attn_2_1": {
        None: [751, 787, 887, 576, -8189, -2843],
        1: [-264, 90, 506, 466, -256, -544],
        2: [44, 649, 383, 968, 119, -120],
        3: [-305, -54, 366, 696, 31, -393],
        4: [-481, 84, -259, 826, -124, -146],
        5: [-200, 256, 405, 558, -205, -204],
        6: [-247, -286, -142, 624, 259, 1424],
        7: [-569, 8, 126, -115, 24, -12709],
    },
    "mlp_2_0": {
        None: [930, 860, 565, -140, -8523, -331],
        1: [52, 416, 179, 349, 392, 1535],
        2: [216, 596, 542, 488, 565, -7560],
        3: [626, 1059, 945, 818, 895, -8122],
        4: [-428, -111, -143, 146, -11, 1753],
        5: [-365, -368, -128, 173, 341, 1467],
        6: [195, 466, 328, -82, 207, -6068],
        7: [-172, 20, 117, 452, 355, 1298],
    },
    "mlp_2_1": {
        None: [-331, -303, -420, 208, 232, 356],
        1: [817, 940, 351, 163, -842, -8890],
        2: [-162, -410, -428, 273, 613, 2205],
        3: [163, 784, -266, 1119, -5026, -5963],
        4: [1283, 1110, 527, -1098, -3203, -12402],
        5: [-1419, -528, -49, 1622, 2790, 2419],
        6: [403, 1092, 786, 333, -766, -8234],
    },
    "mlp_2_2": {
        None: [742, 663, -346, -1019, -2363, -2833],
        1: [59, 265, -384, 259, 616, 1118],
        3: [-286, 674, 208, 681, 163, -972],
        4: [362, 116, -64, 218, -1236, -1366],
        5: [-588, -962, -693, 998, 1354, -409],
        6: [-433, -56, -528, -210, -798, -7962],
    },
}


def run(tokens):
    """The answer at every position; `None` stands for the start of the sequence, and for nothing."""
    tokens = [None, *tokens]
    positions = [None, *range(1, len(tokens))]
    attn_0_0 = aggregate(select_closest(positions, positions, matches_0_0), positions)
    attn_0_1 = aggregate(select_closest(tokens, tokens, matches_0_1), positions)
    count_0_2 = count(tokens, tokens, matches_0_2)
    count_0_3 = count(positions, tokens, matches_0_3)
    mlp_0_0 = apply(holds_0_0, attn_0_0, attn_0_0)
    mlp_0_1 = apply(holds_0_1, count_0_2, count_0_2)
    mlp_0_2 = apply(holds_0_2, count_0_2, count_0_3)
    attn_1_0 = aggregate(select_closest(tokens, tokens, matches_1_0), positions)
    attn_1_1 = aggregate(select_closest(attn_0_0, positions, matches_1_1), positions)
    count_1_2 = count(tokens, tokens, matches_1_2)
    mlp_1_0 = apply(holds_1_0, attn_0_1, attn_0_1)
    mlp_1_1 = apply(holds_1_1, count_1_2, count_0_3)
    mlp_1_2 = apply(holds_1_2, count_0_3, count_0_2)
    attn_2_0 = aggregate(select_closest(attn_1_1, positions, matches_2_0), mlp_0_2)
    attn_2_1 = aggregate(select_closest(mlp_0_0, mlp_0_1, matches_2_1), positions)
    count_2_2 = count(tokens, tokens, matches_2_2)
    count_2_3 = count(attn_0_1, mlp_0_2, matches_2_3)
    mlp_2_0 = apply(holds_2_0, attn_0_1, attn_1_0)
    mlp_2_1 = apply(holds_2_1, count_2_2, count_0_2)
    mlp_2_2 = apply(holds_2_2, count_2_3, count_1_2)
    scores = [
        [sum(weights) for weights in zip(*(WEIGHTS[name][value] for name, value in variables))]
        for variables in zip((("tokens", value) for value in tokens), (("positions", value) for value in positions), (("attn_0_0", value) for value in attn_0_0), (("attn_0_1", value) for value in attn_0_1), (("mlp_0_0", value) for value in mlp_0_0), (("mlp_0_1", value) for value in mlp_0_1), (("mlp_0_2", value) for value in mlp_0_2), (("attn_1_0", value) for value in attn_1_0), (("attn_1_1", value) for value in attn_1_1), (("mlp_1_0", value) for value in mlp_1_0), (("mlp_1_1", value) for value in mlp_1_1), (("mlp_1_2", value) for value in mlp_1_2), (("attn_2_0", value) for value in attn_2_0), (("attn_2_1", value) for value in attn_2_1), (("mlp_2_0", value) for value in mlp_2_0), (("mlp_2_1", value) for value in mlp_2_1), (("mlp_2_2", value) for value in mlp_2_2))
    ]
    return [CLASSES[max(range(len(CLASSES)), key=score.__getitem__)] for score in scores[1:]]
