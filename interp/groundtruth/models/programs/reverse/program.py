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
        None: [-13, 129, 592, -449, 40],
        "0": [402, 53, 93, -367, 54],
        "1": [-62, 443, 130, -285, 404],
        "2": [-286, -103, 114, -351, 25],
        "3": [-168, 56, 85, 139, 208],
        "4": [-678, -320, -469, -877, 149],
        "END": [308, 822, -83, 180, 330],
    },
    "positions": {
        None: [-599, 6, -491, 214, 23],
        1: [-941, 877, 956, -60, -582],
        2: [1496, 1170, 655, -1067, -1093],
        3: [354, -672, -3783, 2444, 2902],
        4: [-1418, -2274, 2168, 880, 1232],
        5: [1596, 1637, -1824, -1486, -1019],
        6: [-1061, -1142, 2902, 2814, -4332],
        7: [626, 227, 445, -1014, 750],
    },
    "attn_0_0": {
        None: [-397, 439, 320, 22, 55],
        "0": [2516, -981, -2221, -2367, -981],
        "1": [-808, 1409, -106, -1293, -915],
        "2": [-419, -1022, 2511, -1147, -547],
        "3": [-1284, -807, 285, 2655, -734],
        "4": [-249, -624, -1293, -1871, 2300],
        "END": [-1275, -860, -690, 130, -10],
    },
    "attn_0_1": {
        None: [2088, 893, -1218, -1095, -779],
        "0": [1441, -1065, -1163, -657, -376],
        "1": [-595, 1093, -817, -248, -3],
        "2": [-721, -1287, 2008, -52, -486],
        "3": [-979, -1092, -712, 1851, -289],
        "4": [-969, -887, -477, -111, 1167],
        "END": [-882, -1151, -751, 628, 675],
    },
    "attn_0_2": {
        None: [-3185, 5983, 3854, -2927, -3167],
        "0": [-712, 402, 902, 689, 315],
        "1": [-4, -1002, 740, 393, 91],
        "2": [39, 46, -1541, 200, 112],
        "3": [85, 235, 532, -1158, 62],
        "4": [14, -148, 444, -3, -1479],
        "END": [873, -1776, 4168, -242, -621],
    },
    "mlp_0_0": {
        None: [-656, 500, -158, 1231, -547],
        1: [-145, -35, 153, 143, -352],
        2: [-471, 765, 14, 197, -446],
        3: [677, -336, 840, -86, -207],
        4: [1017, -637, 124, -550, -211],
        5: [-134, 8, -273, 25, 1577],
        6: [917, -436, 1894, -404, -56],
        7: [-217, 146, -21, 29, 491],
    },
    "attn_1_0": {
        None: [1082, 564, -4103, 1209, 1339],
        "0": [776, -972, 721, -201, -15],
        "1": [-271, 459, 1226, 52, -34],
        "2": [-1129, -1305, 2292, -692, -680],
        "3": [-541, -1131, 1176, 651, -642],
        "4": [-876, -1295, 1214, -807, 677],
        "END": [-7241, -4858, 15782, -3617, -4868],
    },
    "attn_1_1": {
        None: [309, 340, -1257, 46, 123],
        "0": [2376, -681, -132, -946, -958],
        "1": [-1311, 2047, -625, -1542, -1546],
        "2": [-1459, -1112, 3179, -1354, -1343],
        "3": [-979, -1005, -194, 2469, -939],
        "4": [-921, -837, -501, -922, 2402],
        "END": [-372, -75, -321, -877, -453],
    },
    "attn_1_2": {
        None: [861, 660, 707, -4226, 1240],
        "0": [1000, -1076, -984, 112, -942],
        "1": [-299, 987, -685, 707, -505],
        "2": [-534, -666, 633, 886, -1232],
        "3": [-1132, -899, -878, 2410, -1362],
        "4": [-1184, -1220, -1315, 1402, 985],
        "END": [-8768, -5443, -3123, 14184, -3753],
    },
    "mlp_1_0": {
        None: [-194, 704, -457, 324, 153],
        1: [-444, 1008, 416, 366, -469],
        2: [126, -619, -217, -732, 588],
        3: [634, -417, -125, -249, -187],
        4: [-105, -73, -754, 650, -860],
        5: [-473, -102, 1032, 411, -628],
        6: [691, -818, -300, -493, 84],
        7: [-723, 604, -749, 190, 18],
    },
    "attn_2_0": {
        None: [538, -7999, 598, 841, 265],
        "0": [-195, 355, -490, -241, -869],
        "1": [-769, 783, -531, -382, -912],
        "2": [-795, 548, -410, -349, -1162],
        "3": [-332, 940, -116, 443, -570],
        "4": [-191, 1138, -139, 254, -7],
        "END": [-3190, 4107, -1273, 829, 64],
    },
    "attn_2_1": {
        None: [539, 667, 985, 2056, -3653],
        "0": [835, -594, -633, -1255, 838],
        "1": [-831, 486, -478, -1234, 1467],
        "2": [-798, -874, 1024, -1319, 1286],
        "3": [-716, -244, -989, 332, 1762],
        "4": [-470, -870, -1061, -1937, 2337],
        "END": [-6422, -2067, -5535, -5677, 9694],
    },
    "attn_2_2": {
        None: [61, -240, -5804, 555, 375],
        "0": [-1892, -60, 776, 631, 719],
        "1": [438, -1714, 1115, 1078, 1022],
        "2": [594, 256, -1948, 784, 1097],
        "3": [369, 222, 872, -1482, 894],
        "4": [641, 430, 1399, 1217, -1323],
        "END": [-1062, 5408, -8819, 360, 567],
    },
    "mlp_2_0": {
        None: [209, 468, -130, -886, -197],
        1: [718, 412, -928, 298, -1238],
        2: [-1320, -379, 528, 505, -112],
        3: [-1468, -899, -311, 887, 1848],
        4: [-422, -533, -1144, 2585, 459],
        5: [1044, -1376, -647, 889, -384],
        6: [-960, -707, 1535, -247, 214],
        7: [-54, 2436, -394, 665, 355],
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
