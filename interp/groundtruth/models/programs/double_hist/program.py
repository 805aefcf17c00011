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



def matches_0_0(query_token, key_position):
    if query_token in {"0", "1", "2", "3", "4", "5"}:
        return key_position == 4
    return False


def matches_0_1(query_position, key_token):
    if query_position in {1, 5}:
        return key_token == "3"
    if query_position in {2, 6}:
        return key_token == "0"
    if query_position in {3}:
        return key_token == "5"
    if query_position in {4}:
        return key_token == "2"
    if query_position in {7}:
        return key_token == "4"
    return False


def matches_0_2(query_token, key_token):
    if query_token in {"0", "2"}:
        return key_token == "4"
    if query_token in {"1", "3", "5"}:
        return key_token == "1"
    if query_token in {"4"}:
        return key_token == "2"
    return False


def holds_0_0(attn_0_0, same_attn_0_0):
    if attn_0_0 in {None}:
        return 3
    return 2


def holds_0_1(count_0_1, count_0_2):
    if count_0_1 in {0} and count_0_2 in {0, 2}:
        return None
    if count_0_1 in {1} and count_0_2 in {5}:
        return None
    if count_0_1 in {2} and count_0_2 in {0, 1, 2}:
        return None
    if count_0_1 in {0} and count_0_2 in {1}:
        return 7
    if count_0_1 in {1} and count_0_2 in {0, 3, 4}:
        return 7
    if count_0_1 in {1} and count_0_2 in {1}:
        return 3
    if count_0_1 in {1} and count_0_2 in {2}:
        return 2
    return 1


def holds_0_2(count_0_2, count_0_1):
    if count_0_2 in {0, 1} and count_0_1 in {1}:
        return 6
    if count_0_2 in {1} and count_0_1 in {0}:
        return 3
    if count_0_2 in {2} and count_0_1 in {2}:
        return 3
    if count_0_2 in {3} and count_0_1 in {0, 1, 3, 4}:
        return 3
    if count_0_2 in {1} and count_0_1 in {2, 5}:
        return 2
    if count_0_2 in {2, 5} and count_0_1 in {1}:
        return 2
    return 7


def matches_1_0(query_token, key_token):
    if query_token in {"0", "4"}:
        return key_token == "3"
    if query_token in {"1"}:
        return key_token == "2"
    if query_token in {"2", "3"}:
        return key_token == "5"
    if query_token in {"5"}:
        return key_token == "0"
    return False


def matches_1_1(query_token, key_token):
    if query_token in {"0"}:
        return key_token == "1"
    if query_token in {"1", "5"}:
        return key_token == "4"
    if query_token in {"2"}:
        return key_token == "0"
    if query_token in {"3"}:
        return key_token == "2"
    if query_token in {"4"}:
        return key_token == "5"
    return False


def matches_1_2(query_token, key_token):
    if query_token in {"0", "1"}:
        return key_token == "5"
    if query_token in {"2", "4"}:
        return key_token == "1"
    if query_token in {"3"}:
        return key_token == "4"
    if query_token in {"5"}:
        return key_token == "3"
    return False


def holds_1_0(attn_1_0, same_attn_1_0):
    if attn_1_0 in {1, 2, 5, 7}:
        return 7
    return None


def holds_1_1(count_1_1, count_1_2):
    if count_1_1 in {0} and count_1_2 in {0, 2, 4}:
        return 7
    if count_1_1 in {2} and count_1_2 in {0, 4}:
        return 7
    if count_1_1 in {4, 5} and count_1_2 in {0}:
        return 7
    if count_1_1 in {0, 4} and count_1_2 in {1}:
        return 4
    if count_1_1 in {0} and count_1_2 in {6}:
        return 3
    if count_1_1 in {4} and count_1_2 in {2}:
        return 3
    if count_1_1 in {1} and count_1_2 in {0}:
        return 2
    if count_1_1 in {2} and count_1_2 in {2}:
        return 2
    if count_1_1 in {1} and count_1_2 in {1}:
        return 1
    if count_1_1 in {1} and count_1_2 in {2}:
        return None
    if count_1_1 in {2} and count_1_2 in {1}:
        return None
    return 5


def holds_1_2(count_1_2, count_0_2):
    if count_1_2 in {0} and count_0_2 in {1}:
        return 6
    if count_1_2 in {1} and count_0_2 in {0}:
        return 5
    if count_1_2 in {2} and count_0_2 in {1}:
        return 5
    if count_1_2 in {1} and count_0_2 in {1}:
        return 7
    if count_1_2 in {6} and count_0_2 in {0}:
        return 7
    if count_1_2 in {1} and count_0_2 in {2}:
        return 3
    if count_1_2 in {5} and count_0_2 in {0, 1}:
        return 3
    if count_1_2 in {2} and count_0_2 in {0, 2}:
        return 4
    if count_1_2 in {4} and count_0_2 in {1}:
        return 4
    return 1


def matches_2_0(query_mlp_0_0, key_attn_0_0):
    if query_mlp_0_0 in {2}:
        return key_attn_0_0 == 4
    if query_mlp_0_0 in {3}:
        return key_attn_0_0 == 3
    return False


def matches_2_1(query_mlp_0_0, key_position):
    if query_mlp_0_0 in {2}:
        return key_position == 6
    if query_mlp_0_0 in {3}:
        return key_position == 4
    return False


def holds_2_0(attn_1_0, same_attn_1_0):
    if attn_1_0 in {4, 6}:
        return 3
    return 2


def holds_2_1(count_0_2, same_count_0_2):
    if count_0_2 in {1}:
        return None
    if count_0_2 in {2}:
        return 6
    if count_0_2 in {6}:
        return 5
    return 2


def holds_2_2(count_1_1, count_2_1):
    if count_1_1 in {0} and count_2_1 in {0}:
        return None
    if count_1_1 in {1} and count_2_1 in {0}:
        return 6
    if count_1_1 in {1} and count_2_1 in {1}:
        return 5
    if count_1_1 in {2} and count_2_1 in {0}:
        return 4
    if count_1_1 in {4} and count_2_1 in {1}:
        return 4
    if count_1_1 in {2} and count_2_1 in {1}:
        return 2
    if count_1_1 in {5} and count_2_1 in {1}:
        return 3
    return 1


CLASSES = ["1", "2", "3", "4", "5", "6"]
WEIGHTS = {
    "positions": {
        None: [332, 287, 53, -78, -119, 406],
        1: [320, 546, 539, 421, 464, -336],
        2: [-202, 396, 347, 30, 118, -154],
        3: [76, 111, 733, 250, -147, -887],
        4: [-150, 136, 281, 24, -327, -1367],
        5: [-219, 14, 421, -758, -1, -995],
        6: [338, 657, 858, 616, 763, 627],
        7: [18, 86, 675, -922, -268, -14873],
    },
    "attn_0_0": {
        None: [-63, -129, 1517, -6486, -7394, -104],
        1: [605, 292, 587, 446, 321, -941],
        2: [-656, 1075, 212, 0, -96, -136],
        3: [383, 52, 172, 1424, 818, -432],
        4: [350, 956, -684, 1742, 777, -1492],
        5: [567, 361, 551, -415, 943, -898],
        6: [418, 370, 466, 1902, -1672, 699],
        7: [-192, -802, 2897, -3704, 2895, -19258],
    },
    "mlp_0_0": {
        None: [-223, 511, -631, 816, -333, -232],
        2: [-375, 626, 1193, -914, -629, -1743],
        3: [-533, 1041, 521, -6970, -4563, -1964],
    },
    "mlp_0_1": {
        None: [746, 1462, 1031, -940, -978, -9358],
        1: [1059, 609, 600, -288, -8475, -5416],
        2: [378, 883, -61, -687, -480, -3023],
        3: [344, -785, 504, 777, 1122, 1144],
        7: [794, 224, 216, 221, -2011, -9954],
    },
    "mlp_0_2": {
        None: [-444, 84, 330, 84, 1055, 11],
        2: [484, -34, 566, 491, 866, -7162],
        3: [-322, 146, 631, -284, 529, -5688],
        6: [-190, 347, 251, -341, 169, -611],
        7: [800, -70, -343, -159, -3682, -7657],
    },
    "attn_1_0": {
        None: [853, -266, -419, -275, -4288, -11937],
        1: [-458, -396, 258, -305, 582, -76],
        2: [-256, 128, 828, -8, 555, -145],
        3: [171, -608, 723, 919, -50, 443],
        4: [-131, 284, 331, 2012, 4, 313],
        5: [-326, -230, 535, -727, 764, -197],
        6: [-379, 148, -148, 1785, -66, 848],
        7: [391, 227, 812, -542, 1144, -14095],
    },
    "mlp_1_0": {
        None: [1278, -172, -198, -950, -627, -1840],
        7: [1626, -684, -544, -150, -1286, -1274],
    },
    "mlp_1_1": {
        None: [-400, 872, 621, 715, 1849, -7948],
        1: [642, -654, -138, 61, 1622, 1050],
        2: [205, 162, 125, -538, -1145, -6145],
        3: [3663, -3897, -4088, -589, 1253, 1011],
        4: [-11, 339, 1020, 925, -780, -8885],
        5: [-1002, 396, 936, 1158, -4174, -4190],
        7: [243, 840, 532, -268, -12440, -6277],
    },
    "mlp_1_2": {
        None: [-49, -137, 230, 243, 412, 380],
        1: [801, 654, 658, 119, -10353, -5911],
        3: [317, 1129, 1133, 1268, 1533, -3314],
        4: [-673, -10, 1901, -990, -9319, -725],
        5: [-544, 238, 991, 101, 655, -6020],
        6: [1163, 555, 49, 482, -1018, -8189],
        7: [504, -230, -310, 320, 478, -359],
    },
    "attn_2_0": {
        None: [239, 1314, 945, 88, 818, -8718],
        1: [1754, 1493, 1105, 1343, -10964, -4178],
        2: [-324, 570, 188, 714, 2155, -5531],
        3: [-646, -441, -52, 1208, 3003, 9702],
        7: [-11, 467, 419, 1082, 990, -9367],
    },
    "mlp_2_0": {
        None: [-1687, 1288, 1057, -2212, 329, -1248],
        2: [653, -39, -120, 809, -296, -921],
        3: [984, -871, -59, -333, -255, -646],
    },
    "mlp_2_1": {
        None: [-297, 441, 387, -102, 405, -15],
        2: [875, 454, -251, -5, -1203, -3106],
        5: [2611, -1898, -2447, -1724, -246, -1019],
        6: [94, 101, 580, -664, -612, -3847],
    },
    "mlp_2_2": {
        None: [487, 143, -625, 83, 1396, -4977],
        1: [1034, 774, 29, -77, -11609, -5054],
        2: [-177, 415, 1028, 602, -943, -5117],
        3: [-322, 914, -6186, -4993, 334, -1262],
        4: [17, 782, 1860, -11476, -7716, -2781],
        5: [-252, 473, -162, 999, -1264, 473],
        6: [-1094, -626, 314, 1340, 3039, -9709],
    },
}


def run(tokens):
    """The answer at every position; `None` stands for the start of the sequence, and for nothing."""
    tokens = [None, *tokens]
    positions = [None, *range(1, len(tokens))]
    attn_0_0 = aggregate(select_closest(tokens, positions, matches_0_0), positions)
    count_0_1 = count(positions, tokens, matches_0_1)
    count_0_2 = count(tokens, tokens, matches_0_2)
    mlp_0_0 = apply(holds_0_0, attn_0_0, attn_0_0)
    mlp_0_1 = apply(holds_0_1, count_0_1, count_0_2)
    mlp_0_2 = apply(holds_0_2, count_0_2, count_0_1)
    attn_1_0 = aggregate(select_closest(tokens, tokens, matches_1_0), positions)
    count_1_1 = count(tokens, tokens, matches_1_1)
    count_1_2 = count(tokens, tokens, matches_1_2)
    mlp_1_0 = apply(holds_1_0, attn_1_0, attn_1_0)
    mlp_1_1 = apply(holds_1_1, count_1_1, count_1_2)
    mlp_1_2 = apply(holds_1_2, count_1_2, count_0_2)
    attn_2_0 = aggregate(select_closest(mlp_0_0, attn_0_0, matches_2_0), mlp_0_1)
    count_2_1 = count(mlp_0_0, positions, matches_2_1)
    mlp_2_0 = apply(holds_2_0, attn_1_0, attn_1_0)
    mlp_2_1 = apply(holds_2_1, count_0_2, count_0_2)
    mlp_2_2 = apply(holds_2_2, count_1_1, count_2_1)
    scores = [
        [sum(weights) for weights in zip(*(WEIGHTS[name][value] for name, value in variables))]
        for variables in zip((("positions", value) for value in positions), (("attn_0_0", value) for value in attn_0_0), (("mlp_0_0", value) for value in mlp_0_0), (("mlp_0_1", value) for value in mlp_0_1), (("mlp_0_2", value) for value in mlp_0_2), (("attn_1_0", value) for value in attn_1_0), (("mlp_1_0", value) for value in mlp_1_0), (("mlp_1_1", value) for value in mlp_1_1), (("mlp_1_2", value) for value in mlp_1_2), (("attn_2_0", value) for value in attn_2_0), (("mlp_2_0", value) for value in mlp_2_0), (("mlp_2_1", value) for value in mlp_2_1), (("mlp_2_2", value) for value in mlp_2_2))
    ]
    return [CLASSES[max(range(len(CLASSES)), key=score.__getitem__)] for score in scores[1:]]
