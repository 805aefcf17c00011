"""learned_sort: the tokens in ascending order."""


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
    if query_position in {1, 2, 3, 4, 5}:
        return key_position == 2
    if query_position in {6, 7}:
        return key_position == 3
    return False


def matches_0_1(query_position, key_token):
    if query_position in {1, 2, 7}:
        return key_token == "1"
    if query_position in {3}:
        return key_token == "0"
    if query_position in {4, 5, 6}:
        return key_token == "4"
    return False


def matches_0_2(query_position, key_position):
    if query_position in {1}:
        return key_position == 4
    if query_position in {2}:
        return key_position == 3
    if query_position in {3}:
        return key_position == 5
    if query_position in {4, 5}:
        return key_position == 6
    if query_position in {6, 7}:
        return key_position == 1
    return False


def matches_0_3(query_position, key_position):
    if query_position in {1}:
        return key_position == 1
    if query_position in {2, 7}:
        return key_position == 2
    if query_position in {3}:
        return key_position == 3
    if query_position in {4, 5, 6}:
        return key_position == 5
    return False


def matches_0_4(query_position, key_token):
    if query_position in {1, 2, 3}:
        return key_token == "0"
    return False


def matches_0_5(query_position, key_token):
    if query_position in {1, 2}:
        return key_token == "0"
    return False


def holds_0_0(attn_0_0, position):
    if attn_0_0 in {"0", "1", "2", "3", "4", "END"} and position in {1}:
        return 7
    if attn_0_0 in {"0"} and position in {2, 3}:
        return 2
    if attn_0_0 in {"2", "END"} and position in {2}:
        return 2
    if attn_0_0 in {"0"} and position in {4}:
        return 3
    if attn_0_0 in {"1"} and position in {2, 3}:
        return 3
    if attn_0_0 in {"3", "4"} and position in {2}:
        return 3
    if attn_0_0 in {"0"} and position in {5}:
        return 4
    if attn_0_0 in {"0"} and position in {6}:
        return 5
    if attn_0_0 in {"2"} and position in {4}:
        return 5
    if attn_0_0 in {"4"} and position in {3}:
        return 5
    if attn_0_0 in {"0", "1", "2", "3", "4"} and position in {7}:
        return 1
    if attn_0_0 in {"1"} and position in {4, 5}:
        return 6
    if attn_0_0 in {"2", "3"} and position in {3}:
        return 6
    return None


def holds_0_1(position, attn_0_1):
    if position in {1} and attn_0_1 in {None}:
        return None
    if position in {1} and attn_0_1 in {"1"}:
        return 6
    if position in {2} and attn_0_1 in {None, "1"}:
        return 3
    if position in {3} and attn_0_1 in {"0"}:
        return 5
    if position in {5} and attn_0_1 in {None}:
        return 5
    if position in {4} and attn_0_1 in {None}:
        return 7
    if position in {6} and attn_0_1 in {None}:
        return 1
    if position in {7} and attn_0_1 in {None, "1"}:
        return 1
    return 4


def holds_0_2(count_0_4, count_0_5):
    if count_0_4 in {0} and count_0_5 in {0}:
        return 7
    if count_0_4 in {1} and count_0_5 in {0}:
        return 2
    if count_0_4 in {5} and count_0_5 in {5}:
        return 2
    if count_0_4 in {1} and count_0_5 in {1}:
        return 5
    if count_0_4 in {2} and count_0_5 in {0}:
        return 5
    return 3


def holds_0_3(count_0_5, same_count_0_5):
    if count_0_5 in {0}:
        return 2
    if count_0_5 in {1}:
        return 4
    if count_0_5 in {2, 5}:
        return 3
    return 1


def matches_1_0(query_token, key_position):
    if query_token in {"0", "1"}:
        return key_position == 1
    if query_token in {"2", "END"}:
        return key_position == 3
    if query_token in {"3"}:
        return key_position == 4
    if query_token in {"4"}:
        return key_position == 5
    return False


def matches_1_1(query_position, key_token):
    if query_position in {1}:
        return key_token == "END"
    if query_position in {2, 3}:
        return key_token == "2"
    if query_position in {4}:
        return key_token == "0"
    if query_position in {7}:
        return key_token == "1"
    return False


def matches_1_2(query_attn_0_0, key_attn_0_0):
    if query_attn_0_0 in {"0"}:
        return key_attn_0_0 == "0"
    if query_attn_0_0 in {"1"}:
        return key_attn_0_0 == "1"
    if query_attn_0_0 in {"2", "END"}:
        return key_attn_0_0 == "2"
    if query_attn_0_0 in {"3"}:
        return key_attn_0_0 == "3"
    if query_attn_0_0 in {"4"}:
        return key_attn_0_0 == "4"
    return False


def matches_1_3(query_attn_0_0, key_attn_0_0):
    if query_attn_0_0 in {"0"}:
        return key_attn_0_0 == "0"
    if query_attn_0_0 in {"1"}:
        return key_attn_0_0 == "1"
    if query_attn_0_0 in {"2", "END"}:
        return key_attn_0_0 == "2"
    if query_attn_0_0 in {"3"}:
        return key_attn_0_0 == "3"
    if query_attn_0_0 in {"4"}:
        return key_attn_0_0 == "4"
    return False


def matches_1_4(query_mlp_0_0, key_token):
    if query_mlp_0_0 in {1, 2, 3, 6}:
        return key_token == "1"
    if query_mlp_0_0 in {7}:
        return key_token == "2"
    return False


def matches_1_5(query_mlp_0_0, key_token):
    if query_mlp_0_0 in {1, 5, 7}:
        return key_token == "1"
    if query_mlp_0_0 in {2, 3, 4, 6}:
        return key_token == "0"
    return False


def holds_1_0(attn_1_3, position):
    if attn_1_3 in {None} and position in {2}:
        return 3
    if attn_1_3 in {"1"} and position in {5, 6}:
        return 3
    if attn_1_3 in {"2"} and position in {4, 5}:
        return 3
    if attn_1_3 in {"3"} and position in {7}:
        return 3
    if attn_1_3 in {"4"} and position in {2, 3, 4}:
        return 3
    if attn_1_3 in {"0"} and position in {1, 6}:
        return 1
    if attn_1_3 in {"0"} and position in {5}:
        return 5
    if attn_1_3 in {"1"} and position in {4}:
        return 5
    if attn_1_3 in {"2"} and position in {3}:
        return 5
    if attn_1_3 in {"3"} and position in {2}:
        return 5
    if attn_1_3 in {"2", "END"} and position in {6}:
        return 2
    if attn_1_3 in {"3", "4"} and position in {5, 6}:
        return 2
    if attn_1_3 in {"3"} and position in {3, 4}:
        return 7
    if attn_1_3 in {"4"} and position in {7}:
        return 6
    return None


def holds_1_1(position, attn_1_2):
    if position in {1} and attn_1_2 in {None, "3", "4"}:
        return 3
    if position in {2} and attn_1_2 in {"2", "3"}:
        return 3
    if position in {3, 7} and attn_1_2 in {"2"}:
        return 3
    if position in {4} and attn_1_2 in {"0", "1", "2"}:
        return 3
    if position in {5} and attn_1_2 in {"0"}:
        return 3
    if position in {1} and attn_1_2 in {"0", "1", "2"}:
        return 2
    if position in {2} and attn_1_2 in {"0"}:
        return 2
    if position in {1} and attn_1_2 in {"END"}:
        return 5
    if position in {3, 7} and attn_1_2 in {"0"}:
        return 5
    if position in {2} and attn_1_2 in {"1", "4"}:
        return 7
    if position in {3, 7} and attn_1_2 in {"1"}:
        return 7
    if position in {2} and attn_1_2 in {"END"}:
        return 6
    if position in {3, 7} and attn_1_2 in {"3"}:
        return 6
    if position in {5} and attn_1_2 in {"1"}:
        return 6
    if position in {3} and attn_1_2 in {"4"}:
        return 1
    if position in {4} and attn_1_2 in {"3"}:
        return 1
    if position in {5} and attn_1_2 in {"2"}:
        return 1
    if position in {6} and attn_1_2 in {"0"}:
        return 1
    if position in {5} and attn_1_2 in {None}:
        return None
    if position in {6} and attn_1_2 in {"1", "4"}:
        return None
    return 4


def holds_1_2(count_1_5, count_1_4):
    if count_1_5 in {0} and count_1_4 in {0}:
        return 5
    if count_1_5 in {0} and count_1_4 in {1}:
        return 2
    if count_1_5 in {0} and count_1_4 in {6}:
        return 7
    if count_1_5 in {1} and count_1_4 in {0}:
        return 6
    if count_1_5 in {1} and count_1_4 in {1}:
        return 4
    if count_1_5 in {3, 5} and count_1_4 in {0}:
        return 3
    return 1


def holds_1_3(count_1_5, count_1_4):
    if count_1_5 in {0} and count_1_4 in {0, 1}:
        return None
    if count_1_5 in {0} and count_1_4 in {2}:
        return 7
    if count_1_5 in {1} and count_1_4 in {1}:
        return 7
    if count_1_5 in {2} and count_1_4 in {0}:
        return 7
    if count_1_5 in {0} and count_1_4 in {3, 4}:
        return 1
    if count_1_5 in {0} and count_1_4 in {6}:
        return 5
    if count_1_5 in {1, 5} and count_1_4 in {0}:
        return 6
    return 4


CLASSES = ["0", "1", "2", "3", "4"]
WEIGHTS = {
    "tokens": {
        None: [-438, -973, 180, -289, -592],
        "0": [5163, 841, -789, -790, -1479],
        "1": [-877, 1782, 49, -697, -2827],
        "2": [-3158, -1316, 1655, 602, -1149],
        "3": [-1470, -550, 363, 1091, -639],
        "4": [-4672, -3963, -1193, 263, 2922],
        "END": [155, 484, 58, 128, 23],
    },
    "positions": {
        None: [56, -568, -417, -265, 423],
        1: [4615, -742, -884, -2592, -2459],
        2: [-6158, 1136, 527, -1553, -1203],
        3: [-3416, 1272, -794, 1036, 2087],
        4: [-742, -1381, 1157, 2887, -1184],
        5: [-5578, -3769, 1781, 3686, 614],
        6: [-8933, -3871, -3200, -1502, 8058],
        7: [513, 0, -252, -211, -450],
    },
    "attn_0_0": {
        None: [-631, -614, -1089, 296, 2998],
        "0": [180, -2615, -895, 1239, 317],
        "1": [-2998, -464, 1608, 888, -1304],
        "2": [-273, 946, 1925, -760, -3115],
        "3": [401, 1291, -243, 1090, -1414],
        "4": [1163, 1446, -1672, -1149, 1216],
        "END": [-987, 2047, 901, 435, 1832],
    },
    "attn_0_1": {
        None: [-356, -2137, 2078, 1983, -879],
        "0": [1699, -1347, -825, -606, -507],
        "1": [3222, 11442, -4238, -4114, -7820],
        "2": [-957, 544, 2108, -544, -2006],
        "3": [-1712, -1774, -8, 1491, 430],
        "4": [-2115, -4560, 326, -404, 3076],
        "END": [-805, -1695, 252, 985, 856],
    },
    "attn_0_2": {
        None: [-2754, -4776, -2254, 896, 6218],
        "0": [5553, 1750, 56, -1548, -4334],
        "1": [686, 2410, -210, -1953, -4016],
        "2": [-486, 642, 1801, -1206, -3497],
        "3": [-1585, 234, 445, 1492, -3547],
        "4": [-1482, 109, 296, 1021, 1186],
        "END": [-2245, -1768, -561, 630, 2366],
    },
    "attn_0_3": {
        None: [-2032, 1129, 470, 1059, 1205],
        "0": [1012, 506, 358, -453, -1094],
        "1": [720, 29, -11, -558, 264],
        "2": [949, -159, 201, -143, 318],
        "3": [16, -1835, -507, 1449, -210],
        "4": [2370, -26, 870, 655, -484],
        "END": [234, -872, 780, 41, 3790],
    },
    "mlp_0_0": {
        None: [560, 7617, 1526, 60, -1693],
        1: [1437, -74, 289, -168, -2449],
        2: [-5379, -3113, -454, 1815, 3197],
        3: [-889, -2710, -717, 1328, 3251],
        4: [380, 3911, 1023, -982, -1454],
        5: [793, 614, 1341, 210, -2311],
        6: [-1443, -3882, -87, 1460, 3275],
        7: [5778, -2974, -1073, -1813, -2416],
    },
    "mlp_0_1": {
        None: [-1238, -8884, 1325, 420, -1609],
        1: [-5178, -1026, 1051, 2950, -14251],
        3: [-6154, 497, 160, -341, 267],
        4: [-2209, -2632, -1901, 55, 3745],
        5: [722, 692, 765, 243, -217],
        6: [5771, 2190, -8521, -8165, -9094],
        7: [1988, 409, 407, 175, -11270],
    },
    "mlp_0_2": {
        None: [-322, 235, 519, 478, 91],
        2: [-7148, -368, 720, 1138, 938],
        3: [15610, -8584, -7048, -6182, -7795],
        5: [-3433, 2290, 1265, -914, -1832],
        7: [-6318, -19, 785, 1397, 1071],
    },
    "mlp_0_3": {
        None: [-200, 384, 605, 676, -96],
        1: [4093, -4413, -3545, -440, -166],
        2: [-6712, 455, 815, 843, 1100],
        3: [9545, -6746, -4420, -4468, -2844],
        4: [11299, -1642, -1193, -651, -1935],
    },
    "attn_1_0": {
        None: [-3142, -1110, 550, 1860, 1654],
        "0": [3419, 835, -543, -2746, -2831],
        "1": [-812, 1952, 249, -2421, -2494],
        "2": [-1064, 156, 1939, -1119, -1095],
        "3": [-1069, -1065, 251, 745, -326],
        "4": [-683, -388, 392, -171, 2568],
        "END": [-931, 1990, 1065, 524, 274],
    },
    "attn_1_1": {
        None: [-1007, -846, -1061, 1897, 2942],
        "0": [804, -383, 1850, -1478, -2707],
        "1": [-1191, 498, 531, -271, -625],
        "2": [1046, 1217, -784, -892, -458],
        "3": [-126, 903, 1745, -5, -1457],
        "4": [17, 360, 1495, 398, -561],
        "END": [-1488, 1559, 2167, -66, -502],
    },
    "attn_1_2": {
        None: [-3778, -4587, 2580, 974, 2043],
        "0": [3581, -786, -1240, -1616, -406],
        "1": [59, 1547, 1013, -173, -1960],
        "2": [-2488, -1348, 1479, -202, -968],
        "3": [1238, -193, 2159, 654, -1169],
        "4": [1361, 599, 2209, 262, -60],
        "END": [-225, -745, 432, -690, 1726],
    },
    "attn_1_3": {
        None: [-2150, 1784, 902, 1858, 2783],
        "0": [2321, 26, 21, -1354, -2091],
        "1": [1269, 1834, 339, -1433, -2689],
        "2": [-55, -121, 2602, 63, -1981],
        "3": [-180, 27, 1342, 3173, -386],
        "4": [-454, 115, -156, 1041, 2916],
        "END": [-1563, 531, 644, -882, 2630],
    },
    "mlp_1_0": {
        None: [1022, 1074, -1631, -1641, -4007],
        1: [3406, -3945, -194, -2073, -93],
        2: [-8149, -527, 1242, 2021, 1416],
        3: [550, 1360, 1528, 1391, -810],
        5: [-2089, 1791, 1118, 1216, -1830],
        6: [-417, 869, -677, -323, 200],
        7: [-559, 1348, 1582, 814, -571],
    },
    "mlp_1_1": {
        None: [-1370, 742, -1012, 54, 3872],
        1: [2031, 2169, 198, 1282, -228],
        2: [2984, 232, 2445, -1072, -5989],
        3: [2803, 1720, -460, -501, -2990],
        4: [-1172, 1066, -1435, 660, 2565],
        5: [-4706, -1994, 2549, 1917, -2480],
        6: [-88, 1755, 618, 443, -387],
        7: [1609, -2059, 1477, 1362, 478],
    },
    "mlp_1_2": {
        None: [-614, -367, 1470, -368, -360],
        1: [2291, 2858, -1364, -2953, -2768],
        2: [1983, -14224, 2404, 1117, 794],
        3: [454, -2390, 1005, -1292, -704],
        4: [-588, 2170, 1114, 58, 415],
        5: [-404, 331, -1192, 956, 2832],
        6: [-4350, -1058, 161, 29, 568],
        7: [-149, -45, 193, -388, -287],
    },
    "mlp_1_3": {
        None: [845, -5639, 223, 998, 2379],
        1: [-1215, 7325, -944, -3803, -5149],
        4: [2972, 5794, -2558, -3643, -5160],
        5: [138, -168, 34, -30, 251],
        6: [293, -790, -1294, -46, 1425],
        7: [-1959, -773, 2051, 1083, 705],
    },
}


def run(tokens):
    """The answer at every position; `None` stands for the start of the sequence, and for nothing."""
    tokens = [None, *tokens]
    positions = [None, *range(1, len(tokens))]
    attn_0_0 = aggregate(select_closest(positions, positions, matches_0_0), tokens)
    attn_0_1 = aggregate(select_closest(positions, tokens, matches_0_1), tokens)
    attn_0_2 = aggregate(select_closest(positions, positions, matches_0_2), tokens)
    attn_0_3 = aggregate(select_closest(positions, positions, matches_0_3), tokens)
    count_0_4 = count(positions, tokens, matches_0_4)
    count_0_5 = count(positions, tokens, matches_0_5)
    mlp_0_0 = apply(holds_0_0, attn_0_0, positions)
    mlp_0_1 = apply(holds_0_1, positions, attn_0_1)
    mlp_0_2 = apply(holds_0_2, count_0_4, count_0_5)
    mlp_0_3 = apply(holds_0_3, count_0_5, count_0_5)
    attn_1_0 = aggregate(select_closest(tokens, positions, matches_1_0), tokens)
    attn_1_1 = aggregate(select_closest(positions, tokens, matches_1_1), attn_0_0)
    attn_1_2 = aggregate(select_closest(attn_0_0, attn_0_0, matches_1_2), attn_0_2)
    attn_1_3 = aggregate(select_closest(attn_0_0, attn_0_0, matches_1_3), tokens)
    count_1_4 = count(mlp_0_0, tokens, matches_1_4)
    count_1_5 = count(mlp_0_0, tokens, matches_1_5)
    mlp_1_0 = apply(holds_1_0, attn_1_3, positions)
    mlp_1_1 = apply(holds_1_1, positions, attn_1_2)
    mlp_1_2 = apply(holds_1_2, count_1_5, count_1_4)
    mlp_1_3 = apply(holds_1_3, count_1_5, count_1_4)
    scores = [
        [sum(weights) for weights in zip(*(WEIGHTS[name][value] for name, value in variables))]
        for variables in zip((("tokens", value) for value in tokens), (("positions", value) for value in positions), (("attn_0_0", value) for value in attn_0_0), (("attn_0_1", value) for value in attn_0_1), (("attn_0_2", value) for value in attn_0_2), (("attn_0_3", value) for value in attn_0_3), (("mlp_0_0", value) for value in mlp_0_0), (("mlp_0_1", value) for value in mlp_0_1), (("mlp_0_2", value) for value in mlp_0_2), (("mlp_0_3", value) for value in mlp_0_3), (("attn_1_0", value) for value in attn_1_0), (("attn_1_1", value) for value in attn_1_1), (("attn_1_2", value) for value in attn_1_2), (("attn_1_3", value) for value in attn_1_3), (("mlp_1_0", value) for value in mlp_1_0), (("mlp_1_1", value) for value in mlp_1_1), (("mlp_1_2", value) for value in mlp_1_2), (("mlp_1_3", value) for value in mlp_1_3))
    ]
    return [CLASSES[max(range(len(CLASSES)), key=score.__getitem__)] for score in scores[1:]]
