"""learned_most_frequent: each token once, the most frequent first."""


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
    if query_position in {1, 4}:
        return key_position == 5
    if query_position in {2}:
        return key_position == 1
    if query_position in {3}:
        return key_position == 2
    if query_position in {5, 6}:
        return key_position == 7
    return False


def matches_0_1(query_position, key_token):
    if query_position in {2}:
        return key_token == "1"
    if query_position in {3, 4, 5, 6, 7}:
        return key_token == "4"
    return False


def matches_0_2(query_position, key_token):
    if query_position in {1}:
        return key_token == "5"
    if query_position in {2, 3, 4}:
        return key_token == "4"
    if query_position in {6, 7}:
        return key_token == "1"
    return False


def matches_0_3(query_token, key_token):
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


def matches_0_4(query_position, key_token):
    if query_position in {1}:
        return key_token == "1"
    if query_position in {2, 3, 4, 5}:
        return key_token == "5"
    if query_position in {6}:
        return key_token == "3"
    return False


def matches_0_5(query_position, key_token):
    if query_position in {1, 5}:
        return key_token == "1"
    if query_position in {2}:
        return key_token == "5"
    if query_position in {3}:
        return key_token == "4"
    if query_position in {4}:
        return key_token == "0"
    return False


def holds_0_0(attn_0_3, position):
    if attn_0_3 in {"0"} and position in {1}:
        return 7
    if attn_0_3 in {"2"} and position in {4}:
        return 7
    if attn_0_3 in {"5"} and position in {2}:
        return 7
    if attn_0_3 in {"0", "2"} and position in {2, 3}:
        return 5
    if attn_0_3 in {"1"} and position in {2}:
        return 5
    if attn_0_3 in {"3"} and position in {1, 2}:
        return 5
    if attn_0_3 in {"0"} and position in {4}:
        return 4
    if attn_0_3 in {"4"} and position in {1}:
        return 4
    if attn_0_3 in {"1", "5"} and position in {1}:
        return 3
    if attn_0_3 in {"4"} and position in {2, 3, 4}:
        return 3
    if attn_0_3 in {"1"} and position in {3, 4}:
        return 2
    if attn_0_3 in {"2"} and position in {1}:
        return 2
    if attn_0_3 in {"2"} and position in {5}:
        return None
    if attn_0_3 in {"3"} and position in {3, 4, 5}:
        return None
    if attn_0_3 in {"4"} and position in {6}:
        return None
    if attn_0_3 in {"5"} and position in {3, 4}:
        return 1
    return 6


def holds_0_1(position, attn_0_3):
    if position in {1} and attn_0_3 in {"0"}:
        return 5
    if position in {4} and attn_0_3 in {"4"}:
        return 5
    if position in {1} and attn_0_3 in {"1", "2"}:
        return 2
    if position in {3, 4, 5} and attn_0_3 in {"0"}:
        return 2
    if position in {1} and attn_0_3 in {"4"}:
        return 3
    if position in {5} and attn_0_3 in {"3"}:
        return 3
    if position in {6} and attn_0_3 in {"5"}:
        return 3
    if position in {1} and attn_0_3 in {"5"}:
        return None
    if position in {5} and attn_0_3 in {"4"}:
        return None
    if position in {6} and attn_0_3 in {"1", "3", "4"}:
        return None
    if position in {7} and attn_0_3 in {"3"}:
        return None
    if position in {2} and attn_0_3 in {"0", "1"}:
        return 7
    if position in {3, 4} and attn_0_3 in {"3"}:
        return 7
    if position in {5} and attn_0_3 in {"1"}:
        return 7
    if position in {2} and attn_0_3 in {"2", "3"}:
        return 4
    if position in {3} and attn_0_3 in {"2", "5"}:
        return 4
    if position in {4, 5} and attn_0_3 in {"5"}:
        return 4
    if position in {2} and attn_0_3 in {"4", "5"}:
        return 1
    if position in {3} and attn_0_3 in {"1", "4"}:
        return 1
    if position in {4} and attn_0_3 in {"1"}:
        return 1
    return 6


def holds_0_2(count_0_4, count_0_5):
    if count_0_4 in {0, 2} and count_0_5 in {0}:
        return 2
    if count_0_4 in {6} and count_0_5 in {6}:
        return 2
    if count_0_4 in {0} and count_0_5 in {1}:
        return 5
    if count_0_4 in {0, 1, 2} and count_0_5 in {2}:
        return 6
    if count_0_4 in {0} and count_0_5 in {6}:
        return 4
    if count_0_4 in {1} and count_0_5 in {0}:
        return 4
    if count_0_4 in {1, 2} and count_0_5 in {1}:
        return 3
    if count_0_4 in {3} and count_0_5 in {1}:
        return 1
    if count_0_4 in {5} and count_0_5 in {2}:
        return 1
    return 7


def holds_0_3(count_0_5, count_0_4):
    if count_0_5 in {0} and count_0_4 in {0}:
        return 7
    if count_0_5 in {0, 1} and count_0_4 in {1}:
        return 6
    if count_0_5 in {1} and count_0_4 in {0}:
        return 5
    if count_0_5 in {2} and count_0_4 in {1}:
        return 2
    if count_0_5 in {6} and count_0_4 in {6}:
        return 2
    if count_0_5 in {2} and count_0_4 in {2}:
        return None
    if count_0_5 in {3} and count_0_4 in {3}:
        return None
    if count_0_5 in {4} and count_0_4 in {4}:
        return None
    if count_0_5 in {5} and count_0_4 in {5}:
        return None
    if count_0_5 in {2} and count_0_4 in {5}:
        return 4
    if count_0_5 in {3, 4} and count_0_4 in {1}:
        return 1
    return 3


def matches_1_0(query_token, key_attn_0_1):
    if query_token in {"0", "1", "2", "3", "5"}:
        return key_attn_0_1 == "4"
    if query_token in {"4"}:
        return key_attn_0_1 == "0"
    return False


def matches_1_1(query_position, key_attn_0_3):
    if query_position in {1, 2}:
        return key_attn_0_3 == "3"
    if query_position in {3, 7}:
        return key_attn_0_3 == "5"
    if query_position in {4}:
        return key_attn_0_3 == "1"
    if query_position in {5}:
        return key_attn_0_3 == "4"
    return False


def matches_1_2(query_position, key_position):
    if query_position in {1}:
        return key_position == 3
    if query_position in {2}:
        return key_position == 2
    if query_position in {3, 4, 5, 6}:
        return key_position == 1
    if query_position in {7}:
        return key_position == 6
    return False


def matches_1_3(query_position, key_attn_0_3):
    if query_position in {1, 2}:
        return key_attn_0_3 == "0"
    if query_position in {3, 4}:
        return key_attn_0_3 == "3"
    if query_position in {5}:
        return key_attn_0_3 == "4"
    return False


def matches_1_4(query_token, key_token):
    if query_token in {"0", "1"}:
        return key_token == "2"
    if query_token in {"2", "3", "4", "5"}:
        return key_token == "0"
    return False


def matches_1_5(query_token, key_token):
    if query_token in {"0", "3"}:
        return key_token == "4"
    if query_token in {"1"}:
        return key_token == "0"
    if query_token in {"2", "4", "5"}:
        return key_token == "3"
    return False


def holds_1_0(attn_0_0, same_attn_0_0):
    if attn_0_0 in {"1"}:
        return 3
    if attn_0_0 in {"2"}:
        return None
    if attn_0_0 in {"3"}:
        return 4
    if attn_0_0 in {"4", "5"}:
        return 7
    return 1


def holds_1_1(attn_0_3, token):
    if attn_0_3 in {"2"} and token in {"2"}:
        return 5
    if attn_0_3 in {"3"} and token in {"3"}:
        return None
    if attn_0_3 in {"4"} and token in {"4"}:
        return 6
    if attn_0_3 in {"5"} and token in {"5"}:
        return 1
    return 4


def holds_1_2(count_1_5, count_0_4):
    if count_1_5 in {0, 6} and count_0_4 in {0}:
        return 5
    if count_1_5 in {4} and count_0_4 in {2}:
        return 5
    if count_1_5 in {0, 3, 4} and count_0_4 in {1}:
        return None
    if count_1_5 in {0} and count_0_4 in {4, 5}:
        return 2
    if count_1_5 in {1} and count_0_4 in {4}:
        return 2
    if count_1_5 in {2} and count_0_4 in {0, 5}:
        return 2
    if count_1_5 in {3} and count_0_4 in {0}:
        return 2
    if count_1_5 in {1} and count_0_4 in {0}:
        return 1
    if count_1_5 in {1, 2} and count_0_4 in {1}:
        return 4
    if count_1_5 in {2, 3} and count_0_4 in {2}:
        return 7
    if count_1_5 in {2} and count_0_4 in {4}:
        return 6
    return 3


def holds_1_3(count_0_4, same_count_0_4):
    if count_0_4 in {0}:
        return 3
    if count_0_4 in {1}:
        return 4
    if count_0_4 in {2, 3}:
        return 2
    return None


def matches_2_0(query_position, key_attn_0_0):
    if query_position in {1, 2, 7}:
        return key_attn_0_0 == "2"
    if query_position in {3, 4}:
        return key_attn_0_0 == "0"
    if query_position in {5}:
        return key_attn_0_0 == "4"
    return False


def matches_2_1(query_attn_0_0, key_attn_0_3):
    if query_attn_0_0 in {"0", "4"}:
        return key_attn_0_3 == "2"
    if query_attn_0_0 in {"1"}:
        return key_attn_0_3 == "1"
    if query_attn_0_0 in {"2", "5"}:
        return key_attn_0_3 == "0"
    if query_attn_0_0 in {"3"}:
        return key_attn_0_3 == "5"
    return False


def matches_2_2(query_position, key_attn_0_1):
    if query_position in {1, 2}:
        return key_attn_0_1 == "5"
    if query_position in {3, 4, 5}:
        return key_attn_0_1 == "2"
    if query_position in {6}:
        return key_attn_0_1 == "1"
    return False


def matches_2_3(query_attn_0_0, key_token):
    if query_attn_0_0 in {"0", "1", "2", "4", "5"}:
        return key_token == "3"
    if query_attn_0_0 in {"3"}:
        return key_token == "0"
    return False


def matches_2_4(query_token, key_token):
    if query_token in {"0", "1", "2"}:
        return key_token == "3"
    if query_token in {"3", "4", "5"}:
        return key_token == "2"
    return False


def holds_2_0(token, attn_0_0):
    if token in {"0"} and attn_0_0 in {None, "4"}:
        return 4
    if token in {"1"} and attn_0_0 in {"1"}:
        return 4
    if token in {"4"} and attn_0_0 in {None}:
        return 4
    if token in {"0"} and attn_0_0 in {"0"}:
        return 6
    if token in {"5"} and attn_0_0 in {None}:
        return 6
    if token in {"0"} and attn_0_0 in {"2"}:
        return 7
    if token in {"1", "5"} and attn_0_0 in {"4"}:
        return 7
    if token in {"2"} and attn_0_0 in {"1", "4"}:
        return 7
    if token in {"3"} and attn_0_0 in {"2", "4"}:
        return 7
    if token in {"4"} and attn_0_0 in {"0", "1", "2", "5"}:
        return 7
    if token in {"0", "1", "2", "4", "5"} and attn_0_0 in {"3"}:
        return 3
    if token in {"1"} and attn_0_0 in {None}:
        return 2
    if token in {"5"} and attn_0_0 in {"5"}:
        return 2
    if token in {"1", "5"} and attn_0_0 in {"2"}:
        return None
    if token in {"2"} and attn_0_0 in {None}:
        return None
    if token in {"3"} and attn_0_0 in {"3"}:
        return None
    if token in {"4"} and attn_0_0 in {"4"}:
        return None
    if token in {"2"} and attn_0_0 in {"2"}:
        return 1
    if token in {"3"} and attn_0_0 in {None}:
        return 1
    return 5


def holds_2_1(token, attn_0_3):
    if token in {"1"} and attn_0_3 in {"1"}:
        return 4
    if token in {"3"} and attn_0_3 in {"3"}:
        return None
    if token in {"5"} and attn_0_3 in {"5"}:
        return 7
    return 1


def holds_2_2(count_1_5, count_2_3):
    if count_1_5 in {0} and count_2_3 in {0, 3, 5}:
        return 4
    if count_1_5 in {1} and count_2_3 in {3}:
        return 4
    if count_1_5 in {2} and count_2_3 in {0, 4}:
        return 4
    if count_1_5 in {5} and count_2_3 in {5}:
        return 4
    if count_1_5 in {6} and count_2_3 in {0}:
        return 4
    if count_1_5 in {0} and count_2_3 in {1}:
        return 5
    if count_1_5 in {2} and count_2_3 in {2}:
        return 5
    if count_1_5 in {1} and count_2_3 in {0, 5}:
        return None
    if count_1_5 in {2, 3} and count_2_3 in {1}:
        return None
    if count_1_5 in {1} and count_2_3 in {1}:
        return 6
    if count_1_5 in {1, 3} and count_2_3 in {2}:
        return 1
    if count_1_5 in {4} and count_2_3 in {2}:
        return 7
    return 3


def holds_2_3(count_2_4, count_1_4):
    if count_2_4 in {0} and count_1_4 in {0, 6}:
        return 6
    if count_2_4 in {0} and count_1_4 in {1}:
        return 7
    if count_2_4 in {1} and count_1_4 in {0}:
        return 2
    if count_2_4 in {1, 2} and count_1_4 in {1}:
        return None
    if count_2_4 in {1} and count_1_4 in {2}:
        return 1
    if count_2_4 in {2} and count_1_4 in {2}:
        return 4
    if count_2_4 in {3, 4} and count_1_4 in {1}:
        return 4
    return 5


CLASSES = ["0", "1", "2", "3", "4", "5", "-"]
WEIGHTS = {
    "tokens": {
        None: [100, -299, 371, -66, 341, -77, -525],
        "0": [2237, -314, -574, -1062, -2523, -1688, -2534],
        "1": [-2018, 2194, -1284, -1019, -1826, -1302, 2600],
        "2": [-791, -238, 1636, -850, -2300, -780, -763],
        "3": [-1111, -95, -259, 1762, -1532, -899, -417],
        "4": [-1768, -187, -1581, -1052, 3907, -2291, -2633],
        "5": [-1362, -595, -1238, -844, -1843, 1258, 1716],
    },
    "positions": {
        None: [437, 467, 154, 70, 319, 156, -296],
        1: [2523, 3822, 3520, 1206, 3366, 944, -23614],
        2: [1567, -818, 2353, -157, 907, 2654, -14107],
        3: [385, 1454, -184, 2185, -584, -389, -4809],
        4: [-685, -1907, -1325, 509, -2292, 41, 5981],
        5: [-2496, -2739, -4256, -2512, -334, -1824, 8133],
        6: [-5812, -5778, -8021, -6708, -6391, -6122, 12845],
        7: [-9537, -6000, -10023, -10555, -9342, -7315, 11276],
    },
    "attn_0_0": {
        None: [1480, -952, -880, 760, -667, 401, 357],
        "0": [2961, -1503, -829, -150, -1347, -883, 1241],
        "1": [-2558, 3517, 124, -218, -1074, -2270, 482],
        "2": [-1708, 237, 1659, -1173, -1055, -8, -529],
        "3": [-804, -704, -593, 2066, -290, 127, -1344],
        "4": [-1226, -353, -150, -1166, 2523, 1014, -760],
        "5": [-1385, -1545, 165, -858, 2074, 1810, -1321],
    },
    "attn_0_1": {
        None: [-120, -1409, 72, -1184, 504, 310, 1156],
        "0": [1731, -533, -421, 139, 351, -248, 119],
        "1": [106, 4075, 244, -828, 756, 644, -9856],
        "2": [-623, 100, 2118, 237, 367, -306, -1415],
        "3": [-960, -1320, -890, 3513, 185, -416, -1662],
        "4": [-249, -1386, 400, -906, 102, 740, 1074],
        "5": [253, -368, 626, -668, 452, 611, -224],
    },
    "attn_0_2": {
        None: [-360, 588, -710, 323, -66, -1502, 1747],
        "0": [2140, -534, -941, -134, 95, 193, -844],
        "1": [-618, -142, -542, 33, -334, -1883, 4324],
        "2": [-1128, -115, 2669, -433, -684, 475, -826],
        "3": [-717, 53, -815, 1933, 99, -194, -416],
        "4": [-420, 749, -493, 578, 1079, 887, -5058],
        "5": [-132, -293, -705, 269, -926, 3834, -8076],
    },
    "attn_0_3": {
        None: [-86, 843, -727, -397, 146, 138, -1323],
        "0": [-625, 581, -793, 347, 606, 1266, -442],
        "1": [1562, 132, -483, -74, 403, -447, 1993],
        "2": [55, -476, 125, -749, -250, 82, -1125],
        "3": [687, -176, -182, -41, 189, 395, -1277],
        "4": [495, 51, 777, 426, 461, -1759, -384],
        "5": [258, 380, 800, -320, 207, -46, 724],
    },
    "mlp_0_0": {
        None: [-438, 774, -536, -263, -1024, -1043, 2051],
        1: [-526, -1208, -335, -375, -1081, 429, 445],
        2: [351, 982, 1173, 757, 429, 582, -5568],
        3: [160, 702, 578, 615, 294, 840, -2291],
        4: [-78, -174, 591, 489, 735, 1161, 337],
        5: [284, -298, 473, 612, -146, 461, -1885],
        6: [-1586, -480, -194, -42, -2051, -1453, 4549],
        7: [1333, 861, 793, 843, 630, 952, -1865],
    },
    "mlp_0_1": {
        None: [1123, 550, 749, 231, 272, 1274, -1717],
        1: [348, -605, 269, 109, -267, 416, 2227],
        2: [-541, -87, -127, -351, -444, -294, -290],
        3: [-83, 787, 613, 232, 95, 264, -353],
        4: [724, 1293, 442, 542, 302, -145, -3073],
        5: [404, -477, 122, -111, -782, 93, 1628],
        6: [-732, 477, -461, 297, -16, -625, 1696],
        7: [587, -185, 711, 481, 639, 883, -5101],
    },
    "mlp_0_2": {
        None: [-275, -307, 180, -60, 380, 195, -951],
        1: [396, 433, -519, -377, 237, -9594, -338],
        2: [-636, 552, -211, 62, 32, 1125, -614],
        3: [671, 475, -230, 68, 317, -171, -775],
        4: [-225, 1111, -63, 210, -157, 246, 226],
        5: [481, -49, -100, 199, 822, -6904, -2],
        6: [-30, -880, 64, 214, -232, 1391, -245],
        7: [526, 1326, 422, 570, -710, -2056, -674],
    },
    "mlp_0_3": {
        None: [-1031, 2955, -1768, -931, -1981, -151, 1120],
        1: [-163, -528, -96, 364, -299, 2729, -1277],
        2: [159, 1842, -106, 625, -266, -465, -1331],
        3: [316, 113, 284, 722, 283, -1369, 517],
        4: [103, -716, -40, 344, 316, -27, 427],
        5: [131, -1093, -317, 110, 484, -5050, -28],
        6: [400, -703, -45, 299, 612, 387, -1589],
        7: [585, -1326, -127, 250, 624, 879, 727],
    },
    "attn_1_0": {
        None: [-13, -105, 241, 323, -4256, 964, 2595],
        "0": [453, -304, 136, 547, 2437, -1031, -2897],
        "1": [425, 511, 271, 432, 2200, -1245, -2244],
        "2": [5, 243, 662, 402, 2309, -1093, -2329],
        "3": [571, 146, 211, 587, 2492, -884, -2502],
        "4": [336, -74, 42, 280, 2739, -1328, -1708],
        "5": [173, -437, 314, 357, 2071, -635, -2618],
    },
    "attn_1_1": {
        None: [108, -231, 79, -1340, -18, -446, 1211],
        "0": [1305, 799, 99, 63, 421, 228, -393],
        "1": [484, 1980, 235, -1074, 444, -847, 255],
        "2": [-532, -19, 1207, -94, 336, 11, -937],
        "3": [150, -59, -419, 2823, 74, -231, -4446],
        "4": [-171, 245, 940, -524, 1186, 1837, -2226],
        "5": [767, 194, 486, -1132, 291, 1547, 92],
    },
    "attn_1_2": {
        None: [882, 1292, 223, 1053, 2356, -1007, -7805],
        1: [-7336, -2266, -9442, -661, -6927, 4644, -1778],
        2: [-707, -646, -1050, -448, 10, -802, 7017],
        3: [12, 2261, -33, 541, 466, 755, -3919],
        4: [1128, 2063, 767, 1418, -1347, -3731, 3105],
        5: [1138, 1303, 995, 1683, -1483, -8517, -3707],
        6: [212, -1556, -33, 473, 1654, 940, -3222],
        7: [-332, -3463, -428, 38, 2124, 1212, -2362],
    },
    "attn_1_3": {
        None: [-165, -628, 635, 332, 288, 120, 137],
        1: [-346, -459, 2, 901, 578, 928, -905],
        2: [411, 1386, -1989, 837, 405, -21, -592],
        3: [923, -229, 964, 793, -3224, 933, -585],
        4: [1163, 9, 549, 704, 824, 802, -1464],
        5: [1356, -92, 442, -75, 887, 648, -179],
        6: [1064, 436, 1146, 1168, 1504, 1171, -922],
        7: [-947, -157, 161, 383, 364, 501, -2061],
    },
    "mlp_1_0": {
        None: [508, -78, -832, 1287, 879, -207, -227],
        1: [-1638, 968, 1045, 664, 1204, 142, -1508],
        3: [1557, -2670, -73, 636, 516, 1403, 462],
        4: [134, 1285, 28, -3180, 1888, 252, 919],
        7: [261, 512, -179, 1088, -2649, -1679, 1051],
    },
    "mlp_1_1": {
        None: [23, -75, 928, -55, -397, -177, -17],
        1: [56, -2, -299, -29, -99, -695, 1030],
        4: [311, 69, 1003, -64, -763, -820, -751],
        5: [279, -99, -349, 509, 22, -67, -886],
        6: [1116, 130, -433, -503, 770, 407, 103],
    },
    "mlp_1_2": {
        None: [-277, -177, -391, -173, 102, 402, 26],
        1: [83, 40, -284, -675, -17, 51, 1553],
        2: [628, 964, 231, 568, 524, -96, 75],
        3: [480, 842, 71, 222, 336, -970, -1262],
        4: [315, 252, 51, 184, 508, 691, -2378],
        5: [-70, 49, -535, -523, -143, -410, 2725],
        6: [80, -2016, 1533, 1659, -3906, -1075, -4690],
        7: [731, 847, 667, 570, 755, 231, -4553],
    },
    "mlp_1_3": {
        None: [1162, 640, 979, 296, 2303, -9808, -2231],
        2: [469, -92, 410, 172, 771, 333, -2810],
        3: [248, 959, 157, 354, -691, -1763, 3629],
        4: [56, 51, 291, 269, -205, 1423, -3470],
    },
    "attn_2_0": {
        None: [239, -595, -747, -208, -215, -284, -225],
        1: [-7, 466, -42, 751, 1006, 796, -1018],
        3: [361, 30, 240, 233, -465, 223, -2149],
        4: [14, 9, 113, -1245, 146, 350, 459],
        7: [635, 474, 143, 738, -2337, 480, 1233],
    },
    "attn_2_1": {
        None: [-133, 627, -49, -170, -22, 106, 955],
        1: [365, -555, -236, 100, -303, 1216, -1497],
        2: [446, 390, 515, 257, 342, 602, -1923],
        3: [220, 601, 258, -70, 131, 120, -1527],
        4: [281, 479, 596, 300, 435, 577, -1095],
        5: [824, 1030, 765, 61, 521, -10998, -679],
        6: [209, 28, 390, 15, -82, 501, -1273],
        7: [-52, -685, 553, 75, -15, 569, -1520],
    },
    "attn_2_2": {
        None: [195, -452, 1100, 146, -463, -869, -19],
        2: [643, -572, -123, 187, 1287, -5834, -816],
        3: [-8430, -8169, -8041, -5164, -8172, -5006, 9059],
        4: [213, -753, 7, 389, -510, 1493, -2241],
    },
    "mlp_2_0": {
        None: [487, 30, 851, 19, -964, 351, -815],
        1: [1048, 551, -1572, 759, 897, 1005, 600],
        2: [-256, 1207, -39, -608, 27, -1785, 460],
        3: [-266, -854, 387, 2380, -1619, -653, -2353],
        4: [878, -1304, 131, -294, 1318, 518, 158],
        5: [353, 465, 26, -580, 210, 580, -942],
        6: [-2039, 758, 382, -123, 1065, 1638, 703],
        7: [648, 249, 625, 44, 973, 745, -525],
    },
    "mlp_2_1": {
        None: [164, -81, -30, -817, -35, 32, 366],
        1: [-687, -87, 34, -551, 224, -638, -515],
        4: [-572, -316, -157, 22, -192, 970, 572],
        7: [95, -353, 197, 275, 174, -147, -79],
    },
    "mlp_2_2": {
        None: [805, 417, 365, 225, 354, 423, -1448],
        1: [664, 598, 88, 1038, 796, 437, -1592],
        3: [-65, -136, -206, 166, -221, -37, -305],
        4: [235, 25, -120, -1052, -251, -123, 2494],
        5: [446, 25, -403, 921, -329, -142, -1004],
        6: [731, 589, 253, 1368, 238, 506, -3793],
        7: [894, -4904, -2667, -1295, -676, -4806, 4075],
    },
    "mlp_2_3": {
        None: [1569, 964, 2128, 1228, 1205, 1234, -9941],
        1: [987, 186, 1504, 672, 553, 425, -8955],
        2: [-165, -146, 545, 281, 287, 154, 226],
        4: [1411, 406, 1504, 510, 843, 534, -7749],
        5: [355, -420, 210, -60, 161, -109, -256],
        6: [-1500, -1528, -2283, -1066, -1028, -1218, 9631],
        7: [577, -172, 71, 38, 40, 71, -375],
    },
}


def run(tokens):
    """The answer at every position; `None` stands for the start of the sequence, and for nothing."""
    tokens = [None, *tokens]
    positions = [None, *range(1, len(tokens))]
    attn_0_0 = aggregate(select_closest(positions, positions, matches_0_0), tokens)
    attn_0_1 = aggregate(select_closest(positions, tokens, matches_0_1), tokens)
    attn_0_2 = aggregate(select_closest(positions, tokens, matches_0_2), tokens)
    attn_0_3 = aggregate(select_closest(tokens, tokens, matches_0_3), tokens)
    count_0_4 = count(positions, tokens, matches_0_4)
    count_0_5 = count(positions, tokens, matches_0_5)
    mlp_0_0 = apply(holds_0_0, attn_0_3, positions)
    mlp_0_1 = apply(holds_0_1, positions, attn_0_3)
    mlp_0_2 = apply(holds_0_2, count_0_4, count_0_5)
    mlp_0_3 = apply(holds_0_3, count_0_5, count_0_4)
    attn_1_0 = aggregate(select_closest(tokens, attn_0_1, matches_1_0), tokens)
    attn_1_1 = aggregate(select_closest(positions, attn_0_3, matches_1_1), tokens)
    attn_1_2 = aggregate(select_closest(positions, positions, matches_1_2), mlp_0_2)
    attn_1_3 = aggregate(select_closest(positions, attn_0_3, matches_1_3), mlp_0_0)
    count_1_4 = count(tokens, tokens, matches_1_4)
    count_1_5 = count(tokens, tokens, matches_1_5)
    mlp_1_0 = apply(holds_1_0, attn_0_0, attn_0_0)
    mlp_1_1 = apply(holds_1_1, attn_0_3, tokens)
    mlp_1_2 = apply(holds_1_2, count_1_5, count_0_4)
    mlp_1_3 = apply(holds_1_3, count_0_4, count_0_4)
    attn_2_0 = aggregate(select_closest(positions, attn_0_0, matches_2_0), mlp_1_0)
    attn_2_1 = aggregate(select_closest(attn_0_0, attn_0_3, matches_2_1), mlp_0_2)
    attn_2_2 = aggregate(select_closest(positions, attn_0_1, matches_2_2), mlp_1_3)
    count_2_3 = count(attn_0_0, tokens, matches_2_3)
    count_2_4 = count(tokens, tokens, matches_2_4)
    mlp_2_0 = apply(holds_2_0, tokens, attn_0_0)
    mlp_2_1 = apply(holds_2_1, tokens, attn_0_3)
    mlp_2_2 = apply(holds_2_2, count_1_5, count_2_3)
    mlp_2_3 = apply(holds_2_3, count_2_4, count_1_4)
    scores = [
        [sum(weights) for weights in zip(*(WEIGHTS[name][value] for name, value in variables))]
        for variables in zip((("tokens", value) for value in tokens), (("positions", value) for value in positions), (("attn_0_0", value) for value in attn_0_0), (("attn_0_1", value) for value in attn_0_1), (("attn_0_2", value) for value in attn_0_2), (("attn_0_3", value) for value in attn_0_3), (("mlp_0_0", value) for value in mlp_0_0), (("mlp_0_1", value) for value in mlp_0_1), (("mlp_0_2", value) for value in mlp_0_2), (("mlp_0_3", value) for value in mlp_0_3), (("attn_1_0", value) for value in attn_1_0), (("attn_1_1", value) for value in attn_1_1), (("attn_1_2", value) for value in attn_1_2), (("attn_1_3", value) for value in attn_1_3), (("mlp_1_0", value) for value in mlp_1_0), (("mlp_1_1", value) for value in mlp_1_1), (("mlp_1_2", value) for value in mlp_1_2), (("mlp_1_3", value) for value in mlp_1_3), (("attn_2_0", value) for value in attn_2_0), (("attn_2_1", value) for value in attn_2_1), (("attn_2_2", value) for value in attn_2_2), (("mlp_2_0", value) for value in mlp_2_0), (("mlp_2_1", value) for value in mlp_2_1), (("mlp_2_2", value) for value in mlp_2_2), (("mlp_2_3", value) for value in mlp_2_3))
    ]
    return [CLASSES[max(range(len(CLASSES)), key=score.__getitem__)] for score in scores[1:]]
