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
        return key_position == 5
    if query_position in {3, 4}:
        return key_position == 7
    if query_position in {5, 6}:
        return key_position == 1
    if query_position in {7}:
        return key_position == 4
    return False


def matches_0_1(query_position, key_position):
    if query_position in {1, 4}:
        return key_position == 6
    if query_position in {2, 3, 5, 7}:
        return key_position == 7
    if query_position in {6}:
        return key_position == 1
    return False


def matches_0_2(query_position, key_position):
    if query_position in {1}:
        return key_position == 6
    if query_position in {4}:
        return key_position == 7
    if query_position in {5, 7}:
        return key_position == 2
    if query_position in {6}:
        return key_position == 1
    return False


def matches_0_3(query_position, key_position):
    if query_position in {1}:
        return key_position == 4
    if query_position in {2}:
        return key_position == 5
    if query_position in {3}:
        return key_position == 3
    if query_position in {4}:
        return key_position == 7
    if query_position in {5, 6, 7}:
        return key_position == 1
    return False


def matches_0_4(query_position, key_token):
    if query_position in {1, 2, 3, 4}:
        return key_token == "0"
    if query_position in {5, 6}:
        return key_token == "END"
    if query_position in {7}:
        return key_token == "4"
    return False


def holds_0_0(attn_0_3, same_attn_0_3):
    if attn_0_3 in {None}:
        return 6
    if attn_0_3 in {"1"}:
        return 1
    if attn_0_3 in {"2"}:
        return 5
    if attn_0_3 in {"4"}:
        return 7
    if attn_0_3 in {"END"}:
        return 4
    return None


def holds_0_1(count_0_4, same_count_0_4):
    if count_0_4 in {0}:
        return 7
    if count_0_4 in {1}:
        return 5
    if count_0_4 in {2}:
        return None
    if count_0_4 in {5}:
        return 2
    return 3


def matches_1_0(query_mlp_0_0, key_position):
    if query_mlp_0_0 in {1}:
        return key_position == 5
    if query_mlp_0_0 in {4}:
        return key_position == 3
    if query_mlp_0_0 in {6}:
        return key_position == 2
    if query_mlp_0_0 in {7}:
        return key_position == 1
    return False


def matches_1_1(query_mlp_0_0, key_mlp_0_0):
    if query_mlp_0_0 in {1, 6}:
        return key_mlp_0_0 == 6
    if query_mlp_0_0 in {7}:
        return key_mlp_0_0 == 4
    return False


def matches_1_2(query_attn_0_1, key_position):
    if query_attn_0_1 in {"0", "1"}:
        return key_position == 1
    if query_attn_0_1 in {"2"}:
        return key_position == 6
    if query_attn_0_1 in {"3"}:
        return key_position == 4
    if query_attn_0_1 in {"4"}:
        return key_position == 5
    if query_attn_0_1 in {"END"}:
        return key_position == 7
    return False


def matches_1_3(query_mlp_0_0, key_position):
    if query_mlp_0_0 in {1, 5, 6}:
        return key_position == 1
    if query_mlp_0_0 in {4}:
        return key_position == 3
    if query_mlp_0_0 in {7}:
        return key_position == 7
    return False


def holds_1_0(attn_0_3, same_attn_0_3):
    if attn_0_3 in {"0"}:
        return 2
    if attn_0_3 in {"1"}:
        return 3
    if attn_0_3 in {"2"}:
        return 5
    if attn_0_3 in {"3"}:
        return 6
    if attn_0_3 in {"END"}:
        return None
    return 1


def matches_2_0(query_mlp_0_0, key_token):
    if query_mlp_0_0 in {1, 4, 7}:
        return key_token == "END"
    if query_mlp_0_0 in {6}:
        return key_token == "3"
    return False


def matches_2_1(query_mlp_0_0, key_position):
    if query_mlp_0_0 in {1}:
        return key_position == 2
    if query_mlp_0_0 in {4, 6}:
        return key_position == 1
    if query_mlp_0_0 in {5}:
        return key_position == 5
    if query_mlp_0_0 in {7}:
        return key_position == 6
    return False


def matches_2_2(query_attn_1_1, key_position):
    if query_attn_1_1 in {"0", "4"}:
        return key_position == 7
    if query_attn_1_1 in {"1", "3"}:
        return key_position == 1
    if query_attn_1_1 in {"2"}:
        return key_position == 6
    if query_attn_1_1 in {"END"}:
        return key_position == 5
    return False


def matches_2_3(query_attn_1_0, key_attn_0_1):
    if query_attn_1_0 in {"0", "2"}:
        return key_attn_0_1 == "END"
    if query_attn_1_0 in {"1"}:
        return key_attn_0_1 == "1"
    if query_attn_1_0 in {"3", "4"}:
        return key_attn_0_1 == "4"
    return False


def holds_2_0(attn_0_1, same_attn_0_1):
    if attn_0_1 in {"0", "1"}:
        return 3
    if attn_0_1 in {"2"}:
        return 4
    if attn_0_1 in {"3"}:
        return 1
    return 2


def holds_2_1(count_2_3, same_count_2_3):
    if count_2_3 in {0}:
        return 7
    if count_2_3 in {2}:
        return 3
    return 4


CLASSES = ["0", "1", "2", "3", "4"]
WEIGHTS = {
    "positions": {
        None: [621, 651, 394, -318, 307],
        1: [374, -141, 318, -202, 302],
        2: [-82, 491, 399, -132, -30],
        3: [-178, 1055, 88, -507, -89],
        4: [-1605, -306, -300, 1513, -355],
        5: [768, -727, -947, -977, 876],
        6: [-706, 213, 110, 337, 193],
        7: [-127, 173, 253, 281, 538],
    },
    "attn_0_0": {
        None: [215, -45, -413, -67, 55],
        "0": [6412, -3360, -3158, -2730, -4483],
        "1": [-2304, 7239, -3064, -2183, -4786],
        "2": [-2759, -3796, 6975, -2705, -3937],
        "3": [-2985, -3542, -3362, 7456, -4641],
        "4": [-4000, -3162, -3914, -3863, 6207],
        "END": [97, -325, -323, 187, -225],
    },
    "attn_0_1": {
        None: [584, -945, -266, 823, -208],
        "0": [-36, 230, -1861, 836, -2561],
        "1": [-1900, 2206, -848, 546, -1230],
        "2": [-534, 759, 4961, -7532, 77],
        "3": [-528, -1166, -1126, 2140, -943],
        "4": [-1038, -1060, -1408, -1457, 2334],
        "END": [-489, -896, -588, -446, -23],
    },
    "attn_0_2": {
        None: [134, -273, -528, -215, 190],
        "0": [6929, -3283, -3606, -3784, -4056],
        "1": [-3364, 8809, -4880, -4104, -5251],
        "2": [-2752, -3432, 8680, -3130, -4030],
        "3": [-3359, -3588, -3612, 8504, -4224],
        "4": [-2848, -4251, -3487, -3384, 9003],
        "END": [405, -672, -469, -1327, -117],
    },
    "attn_0_3": {
        None: [250, -176, 588, 54, 418],
        "0": [2215, -2065, -1674, -355, 70],
        "1": [-928, 2921, -662, -1026, -1011],
        "2": [-502, -1430, 3648, -404, -531],
        "3": [-323, -1004, -896, 2851, -1425],
        "4": [-1668, -1443, -664, -765, 3508],
        "END": [-786, -397, -216, 202, -125],
    },
    "mlp_0_0": {
        None: [910, 27, 99, 818, -416],
        1: [-1599, -1094, 150, 1235, 1363],
        4: [481, 16, 102, -701, -211],
        5: [-16, 2735, -357, -91, -794],
        6: [-280, -611, -59, 392, 349],
        7: [-1193, -355, -107, 534, -752],
    },
    "mlp_0_1": {
        None: [780, 36, -278, 21, -442],
        2: [2352, -3978, 2205, -3944, -3695],
        3: [1124, -340, -466, 159, -516],
        5: [216, 140, -203, -162, -292],
        7: [-18345, 1080, 632, 506, 618],
    },
    "attn_1_0": {
        None: [-245, -331, 12, 1329, 234],
        "0": [1623, -923, -1431, -502, -817],
        "1": [-1131, 4019, -977, -2098, -826],
        "2": [-1556, -1287, 3768, -2144, -956],
        "3": [14, -1181, -1534, 2422, -1348],
        "4": [-1230, -976, -1335, -2169, 3633],
        "END": [1657, 1158, 794, -655, 303],
    },
    "attn_1_1": {
        None: [63, -1084, 840, 315, 219],
        "0": [1924, -276, -1104, 808, -1363],
        "1": [-601, 3203, -999, -1913, -948],
        "2": [-415, -431, 2523, -1350, -1122],
        "3": [838, -302, -1024, 2491, -753],
        "4": [250, -13, -617, -28, 1614],
        "END": [274, 1781, -1655, 2046, -2095],
    },
    "attn_1_2": {
        None: [284, 665, -282, -1175, 563],
        1: [907, -495, -571, -459, 126],
        4: [-344, -60, -588, 193, 321],
        5: [1193, 542, -1955, -323, 559],
        6: [-1483, -78, 210, 2260, -65],
        7: [849, 555, -488, -457, -1157],
    },
    "attn_1_3": {
        None: [-52, 80, -398, 391, -88],
        "0": [1439, -1368, -1532, 166, -995],
        "1": [-757, 2981, -1559, -1446, -1038],
        "2": [-1158, -1590, 3016, -1652, -1530],
        "3": [187, -1763, -1730, 2502, -1400],
        "4": [-913, -1529, -1431, -1140, 3017],
        "END": [-289, 46, 956, 59, 38],
    },
    "mlp_1_0": {
        None: [-400, 737, -344, 261, -364],
        1: [1032, -576, 463, 251, -295],
        2: [-1011, 1317, 1333, 654, -342],
        3: [563, -205, 913, 221, -259],
        5: [642, -815, -1036, 591, 1264],
        6: [730, 111, 431, -949, 915],
    },
    "attn_2_0": {
        None: [-277, 523, 190, -620, 477],
        1: [1690, -2282, 669, 2053, 1184],
        4: [-988, 1602, 1227, -5049, 1458],
        5: [468, -153, -3282, 818, 204],
        6: [841, 129, -122, 512, -265],
        7: [1359, 845, 258, 1642, -1821],
    },
    "attn_2_1": {
        None: [13, 879, 512, -1166, 474],
        1: [1775, -3652, 307, 981, 48],
        4: [577, -1805, 727, 796, 1160],
        5: [1826, 625, -3378, 1052, 80],
        6: [1752, -2209, 10, -1057, 752],
        7: [2140, 1003, 598, 992, -2282],
    },
    "attn_2_2": {
        None: [198, 51, -30, -1347, -47],
        1: [635, 304, -87, -385, -36],
        4: [2155, -2275, 989, -1381, -445],
        5: [482, 1390, 221, -152, -261],
        6: [-15058, 2030, -12595, 1104, -14054],
        7: [-224, -1124, -409, -1198, -666],
    },
    "mlp_2_0": {
        None: [-6772, -1474, -4636, -1704, 10306],
        1: [691, 766, 449, -880, -2087],
        2: [-1060, 236, 1269, 1100, -530],
        3: [68, -457, 1172, -1613, 727],
        4: [-1510, -834, -2263, 6592, -1703],
    },
    "mlp_2_1": {
        None: [-320, 446, 279, 105, 232],
        3: [185, 983, 679, -1305, -1445],
        4: [-338, -471, -31, 305, 124],
        7: [-759, 110, -524, 93, -267],
    },
}


def run(tokens):
    """The answer at every position; `None` stands for the start of the sequence, and for nothing."""
    tokens = [None, *tokens]
    positions = [None, *range(1, len(tokens))]
    attn_0_0 = aggregate(select_closest(positions, positions, matches_0_0), tokens)
    attn_0_1 = aggregate(select_closest(positions, positions, matches_0_1), tokens)
    attn_0_2 = aggregate(select_closest(positions, positions, matches_0_2), tokens)
    attn_0_3 = aggregate(select_closest(positions, positions, matches_0_3), tokens)
    count_0_4 = count(positions, tokens, matches_0_4)
    mlp_0_0 = apply(holds_0_0, attn_0_3, attn_0_3)
    mlp_0_1 = apply(holds_0_1, count_0_4, count_0_4)
    attn_1_0 = aggregate(select_closest(mlp_0_0, positions, matches_1_0), tokens)
    attn_1_1 = aggregate(select_closest(mlp_0_0, mlp_0_0, matches_1_1), tokens)
    attn_1_2 = aggregate(select_closest(attn_0_1, positions, matches_1_2), mlp_0_0)
    attn_1_3 = aggregate(select_closest(mlp_0_0, positions, matches_1_3), tokens)
    mlp_1_0 = apply(holds_1_0, attn_0_3, attn_0_3)
    attn_2_0 = aggregate(select_closest(mlp_0_0, tokens, matches_2_0), mlp_0_0)
    attn_2_1 = aggregate(select_closest(mlp_0_0, positions, matches_2_1), mlp_0_0)
    attn_2_2 = aggregate(select_closest(attn_1_1, positions, matches_2_2), mlp_0_0)
    count_2_3 = count(attn_1_0, attn_0_1, matches_2_3)
    mlp_2_0 = apply(holds_2_0, attn_0_1, attn_0_1)
    mlp_2_1 = apply(holds_2_1, count_2_3, count_2_3)
    scores = [
        [sum(weights) for weights in zip(*(WEIGHTS[name][value] for name, value in variables))]
        for variables in zip((("positions", value) for value in positions), (("attn_0_0", value) for value in attn_0_0), (("attn_0_1", value) for value in attn_0_1), (("attn_0_2", value) for value in attn_0_2), (("attn_0_3", value) for value in attn_0_3), (("mlp_0_0", value) for value in mlp_0_0), (("mlp_0_1", value) for value in mlp_0_1), (("attn_1_0", value) for value in attn_1_0), (("attn_1_1", value) for value in attn_1_1), (("attn_1_2", value) for value in attn_1_2), (("attn_1_3", value) for value in attn_1_3), (("mlp_1_0", value) for value in mlp_1_0), (("attn_2_0", value) for value in attn_2_0), (("attn_2_1", value) for value in attn_2_1), (("attn_2_2", value) for value in attn_2_2), (("mlp_2_0", value) for value in mlp_2_0), (("mlp_2_1", value) for value in mlp_2_1))
    ]
    return [CLASSES[max(range(len(CLASSES)), key=score.__getitem__)] for score in scores[1:]]
