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
    if query_position in {1, 3, 4, 5, 6}:
        return key_position == 2
    if query_position in {2}:
        return key_position == 3
    if query_position in {7}:
        return key_position == 6
    return False


def matches_0_1(query_position, key_position):
    if query_position in {1}:
        return key_position == 2
    if query_position in {2, 6, 7}:
        return key_position == 1
    if query_position in {3}:
        return key_position == 4
    if query_position in {4}:
        return key_position == 5
    if query_position in {5}:
        return key_position == 6
    return False


def matches_0_2(query_position, key_position):
    if query_position in {1}:
        return key_position == 3
    if query_position in {2}:
        return key_position == 4
    if query_position in {3}:
        return key_position == 6
    if query_position in {4}:
        return key_position == 5
    if query_position in {5, 7}:
        return key_position == 1
    if query_position in {6}:
        return key_position == 7
    return False


def matches_0_3(query_position, key_token):
    if query_position in {1, 3}:
        return key_token == "0"
    if query_position in {2}:
        return key_token == "2"
    if query_position in {4, 5, 6}:
        return key_token == "4"
    if query_position in {7}:
        return key_token == "1"
    return False


def matches_0_4(query_position, key_token):
    if query_position in {1, 2, 3}:
        return key_token == "0"
    return False


def matches_0_5(query_position, key_token):
    if query_position in {1, 2}:
        return key_token == "0"
    if query_position in {7}:
        return key_token == "1"
    return False


def holds_0_0(attn_0_0, position):
    if attn_0_0 in {None} and position in {2}:
        return 6
    if attn_0_0 in {"0"} and position in {5}:
        return 6
    if attn_0_0 in {"1", "2"} and position in {4}:
        return 6
    if attn_0_0 in {"3"} and position in {3}:
        return 6
    if attn_0_0 in {"0", "1", "2", "3", "4", "END"} and position in {1}:
        return 7
    if attn_0_0 in {"0", "1", "2", "3", "4"} and position in {2}:
        return 1
    if attn_0_0 in {"0"} and position in {3, 4, 7}:
        return 3
    if attn_0_0 in {"1"} and position in {3, 7}:
        return 3
    if attn_0_0 in {"2"} and position in {3}:
        return 3
    if attn_0_0 in {"3", "4"} and position in {7}:
        return 3
    if attn_0_0 in {"0"} and position in {6}:
        return 5
    if attn_0_0 in {"1"} and position in {5}:
        return 5
    if attn_0_0 in {"4"} and position in {3}:
        return 5
    if attn_0_0 in {"END"} and position in {2}:
        return 5
    if attn_0_0 in {"2"} and position in {7}:
        return 2
    return None


def holds_0_1(attn_0_1, attn_0_3):
    if attn_0_1 in {None} and attn_0_3 in {None}:
        return 3
    if attn_0_1 in {"1", "2"} and attn_0_3 in {"1"}:
        return 3
    if attn_0_1 in {"4", "END"} and attn_0_3 in {"0"}:
        return 3
    if attn_0_1 in {None, "3"} and attn_0_3 in {"0"}:
        return 5
    if attn_0_1 in {"0"} and attn_0_3 in {None, "0", "2"}:
        return 2
    if attn_0_1 in {"2"} and attn_0_3 in {"0"}:
        return 2
    if attn_0_1 in {"0"} and attn_0_3 in {"1"}:
        return 6
    if attn_0_1 in {"1"} and attn_0_3 in {"0"}:
        return 6
    if attn_0_1 in {"0", "1", "2", "3"} and attn_0_3 in {"4"}:
        return 7
    if attn_0_1 in {"4"} and attn_0_3 in {"1"}:
        return 7
    if attn_0_1 in {"1", "2"} and attn_0_3 in {"2"}:
        return 1
    if attn_0_1 in {"3"} and attn_0_3 in {None, "1", "2"}:
        return 1
    if attn_0_1 in {"END"} and attn_0_3 in {None}:
        return 1
    return 4


def holds_0_2(count_0_4, count_0_5):
    if count_0_4 in {0} and count_0_5 in {0, 1}:
        return 7
    if count_0_4 in {0} and count_0_5 in {5}:
        return None
    if count_0_4 in {1} and count_0_5 in {0}:
        return 2
    if count_0_4 in {1} and count_0_5 in {1}:
        return 5
    if count_0_4 in {2} and count_0_5 in {0}:
        return 6
    if count_0_4 in {4} and count_0_5 in {4}:
        return 1
    if count_0_4 in {5} and count_0_5 in {5}:
        return 1
    return 3


def holds_0_3(count_0_5, same_count_0_5):
    if count_0_5 in {0}:
        return 2
    if count_0_5 in {2, 4}:
        return 3
    return 1


def matches_1_0(query_mlp_0_1, key_mlp_0_3):
    if query_mlp_0_1 in {1, 2, 3, 4, 7}:
        return key_mlp_0_3 == 2
    return False


def matches_1_1(query_position, key_token):
    if query_position in {1, 2, 7}:
        return key_token == "1"
    if query_position in {3, 4, 5}:
        return key_token == "0"
    return False


def matches_1_2(query_mlp_0_1, key_mlp_0_3):
    if query_mlp_0_1 in {1, 4}:
        return key_mlp_0_3 == 2
    if query_mlp_0_1 in {2, 3, 5, 6, 7}:
        return key_mlp_0_3 == 1
    return False


def matches_1_3(query_attn_0_0, key_attn_0_0):
    if query_attn_0_0 in {"0"}:
        return key_attn_0_0 == "0"
    if query_attn_0_0 in {"1", "END"}:
        return key_attn_0_0 == "1"
    if query_attn_0_0 in {"2"}:
        return key_attn_0_0 == "2"
    if query_attn_0_0 in {"3"}:
        return key_attn_0_0 == "3"
    if query_attn_0_0 in {"4"}:
        return key_attn_0_0 == "4"
    return False


def matches_1_4(query_mlp_0_0, key_token):
    if query_mlp_0_0 in {1, 2, 3, 5}:
        return key_token == "1"
    if query_mlp_0_0 in {6}:
        return key_token == "0"
    if query_mlp_0_0 in {7}:
        return key_token == "2"
    return False


def matches_1_5(query_mlp_0_0, key_token):
    if query_mlp_0_0 in {1, 6, 7}:
        return key_token == "1"
    if query_mlp_0_0 in {2, 3}:
        return key_token == "0"
    return False


def holds_1_0(attn_1_3, position):
    if attn_1_3 in {None} and position in {2, 3}:
        return 3
    if attn_1_3 in {"1", "2"} and position in {5, 6}:
        return 3
    if attn_1_3 in {"3"} and position in {4, 7}:
        return 3
    if attn_1_3 in {"4"} and position in {2, 3, 4}:
        return 3
    if attn_1_3 in {"END"} and position in {2, 7}:
        return 3
    if attn_1_3 in {None} and position in {4}:
        return 2
    if attn_1_3 in {"3", "4"} and position in {5, 6}:
        return 2
    if attn_1_3 in {"END"} and position in {4, 5}:
        return 2
    if attn_1_3 in {"0"} and position in {1, 6}:
        return 1
    if attn_1_3 in {"0"} and position in {5}:
        return 7
    if attn_1_3 in {"2"} and position in {4}:
        return 7
    if attn_1_3 in {"3"} and position in {3}:
        return 7
    if attn_1_3 in {"1"} and position in {4}:
        return 5
    if attn_1_3 in {"2"} and position in {3, 7}:
        return 5
    if attn_1_3 in {"3"} and position in {2}:
        return 5
    if attn_1_3 in {"4"} and position in {7}:
        return 6
    if attn_1_3 in {"END"} and position in {3}:
        return 4
    return None


def holds_1_1(position, attn_1_2):
    if position in {1} and attn_1_2 in {None}:
        return 5
    if position in {3, 7} and attn_1_2 in {"0"}:
        return 5
    if position in {1} and attn_1_2 in {"0", "1", "2"}:
        return 2
    if position in {2} and attn_1_2 in {"0"}:
        return 2
    if position in {1} and attn_1_2 in {"3", "4"}:
        return 3
    if position in {2} and attn_1_2 in {"2", "3"}:
        return 3
    if position in {3} and attn_1_2 in {"1", "2"}:
        return 3
    if position in {4} and attn_1_2 in {"0", "1"}:
        return 3
    if position in {7} and attn_1_2 in {None, "2"}:
        return 3
    if position in {2} and attn_1_2 in {None, "END"}:
        return None
    if position in {2} and attn_1_2 in {"1", "4"}:
        return 7
    if position in {5} and attn_1_2 in {"0"}:
        return 7
    if position in {7} and attn_1_2 in {"1"}:
        return 7
    if position in {3} and attn_1_2 in {"3"}:
        return 6
    if position in {4} and attn_1_2 in {"2"}:
        return 6
    if position in {5} and attn_1_2 in {"1"}:
        return 6
    if position in {6} and attn_1_2 in {"0", "1"}:
        return 6
    if position in {4, 7} and attn_1_2 in {"3"}:
        return 1
    if position in {5} and attn_1_2 in {"2"}:
        return 1
    return 4


def holds_1_2(count_1_5, count_1_4):
    if count_1_5 in {0} and count_1_4 in {0}:
        return 5
    if count_1_5 in {0} and count_1_4 in {1}:
        return 2
    if count_1_5 in {0} and count_1_4 in {2}:
        return 4
    if count_1_5 in {1} and count_1_4 in {1}:
        return 4
    if count_1_5 in {2} and count_1_4 in {0}:
        return 4
    if count_1_5 in {0} and count_1_4 in {6}:
        return None
    if count_1_5 in {1} and count_1_4 in {0}:
        return 6
    if count_1_5 in {4} and count_1_4 in {1}:
        return 3
    return 1


def holds_1_3(count_1_5, count_1_4):
    if count_1_5 in {0} and count_1_4 in {0, 1, 4}:
        return None
    if count_1_5 in {0} and count_1_4 in {2, 3}:
        return 1
    if count_1_5 in {0} and count_1_4 in {6}:
        return 5
    if count_1_5 in {1} and count_1_4 in {0}:
        return 6
    if count_1_5 in {1} and count_1_4 in {1, 2}:
        return 7
    if count_1_5 in {2} and count_1_4 in {0, 1}:
        return 7
    return 4


CLASSES = ["0", "1", "2", "3", "4"]
WEIGHTS = {
    "tokens": {
        None: [-438, -973, 180, -289, -592],
        "0": [5576, 996, -205, -1448, -2672],
        "1": [-1012, 2657, 353, -1414, -3943],
        "2": [-1317, 588, 2552, -744, -3468],
        "3": [-4506, -1902, -46, 2435, -898],
        "4": [-4880, -3796, -2066, 115, 3497],
        "END": [155, 484, 58, 128, 23],
    },
    "positions": {
        None: [56, -568, -417, -265, 423],
        1: [8468, 4427, 249, -7623, -5961],
        2: [-3689, -813, -2371, -12, 4148],
        3: [-13180, 7370, 1960, -1607, -1100],
        4: [487, -5237, 2436, 3547, -898],
        5: [-8431, -9735, -1080, 4853, 3712],
        6: [-9065, -2253, -4017, 1260, 3697],
        7: [513, 0, -252, -211, -450],
    },
    "attn_0_0": {
        None: [283, 1209, -170, -82, -780],
        "0": [282, -1530, 678, 208, -407],
        "1": [1165, 2311, 265, -782, -1964],
        "2": [7, -445, 2035, -822, -3660],
        "3": [-1513, -496, -689, 1591, -1182],
        "4": [-943, -1776, -2117, -373, 2492],
        "END": [-2147, -181, -3919, 1176, 4321],
    },
    "attn_0_1": {
        None: [-505, -305, 182, 388, 1812],
        "0": [4197, 753, 673, -1405, -4806],
        "1": [846, 2919, 848, -1099, -5039],
        "2": [632, 1607, 2337, -497, -4702],
        "3": [-888, 536, 922, 1254, -2860],
        "4": [-2250, -1392, -1003, 779, 1347],
        "END": [-3163, -3777, -1676, 174, 6422],
    },
    "attn_0_2": {
        None: [-7166, -3131, -1852, 393, 6605],
        "0": [4240, 2290, 509, -1604, -5121],
        "1": [2459, 2865, 756, -1616, -5493],
        "2": [-177, 210, 2385, -762, -4920],
        "3": [-575, -1052, 65, 1626, -3063],
        "4": [246, 562, 469, 944, -361],
        "END": [-2846, -2519, -1350, 616, 3715],
    },
    "attn_0_3": {
        None: [-577, 3342, 565, 1951, -2872],
        "0": [14200, -5393, -1777, 898, -713],
        "1": [1361, 958, 773, -129, -3226],
        "2": [-2118, 4184, 6373, -3355, -10277],
        "3": [-120, -1816, -417, 809, 1649],
        "4": [-6793, -2986, -3733, -896, 7229],
        "END": [-1198, 386, 1299, 1490, -362],
    },
    "mlp_0_0": {
        None: [798, 12077, 594, -1820, -1941],
        1: [422, -4338, -409, 1759, -788],
        2: [-665, -542, 73, 351, -5],
        3: [-957, -4275, -233, 2283, 3842],
        5: [-6979, 391, 197, 509, 663],
        6: [-3573, -6246, 558, 2524, 3966],
        7: [9779, 1591, 77, -4911, -6017],
    },
    "mlp_0_1": {
        None: [899, 301, 91, 17, -729],
        1: [-1799, -1167, -651, 1269, -12],
        2: [390, -411, -884, 31, 1596],
        3: [8510, 4538, 2419, -1305, -4722],
        4: [-840, -341, -330, -16, 816],
        5: [3992, 347, 593, 737, -1921],
        6: [4524, 1075, -308, -1845, -2125],
        7: [423, 821, -626, 431, -354],
    },
    "mlp_0_2": {
        None: [-541, 718, 1096, 675, -1061],
        1: [3619, -382, -1819, -2290, -416],
        2: [-10707, -1923, 368, 2472, 1347],
        3: [18718, -9297, -8954, -9612, -9624],
        5: [2415, 7576, 677, -3771, -7202],
        6: [-15758, 2131, 1493, 1206, -2158],
        7: [-4193, -1683, 876, 1233, 2054],
    },
    "mlp_0_3": {
        None: [-188, 841, 279, 569, -55],
        1: [3735, 6109, 99, -3322, -5352],
        2: [-5671, -1210, 783, 1593, 1175],
        3: [13783, -2899, -4749, -7999, -9726],
    },
    "attn_1_0": {
        None: [2527, 808, 519, -289, 229],
        "0": [5007, 1433, -250, -3368, -4676],
        "1": [-1280, 3273, 495, -2705, -4651],
        "2": [-321, 1160, 2720, -1602, -3644],
        "3": [-2935, -1199, 502, 2193, -478],
        "4": [-3268, -2143, -708, 357, 4162],
        "END": [-879, -126, 1121, 1654, 1437],
    },
    "attn_1_1": {
        None: [-4945, -4525, 1125, 1838, 2689],
        "0": [2292, 907, -1201, -1684, -2576],
        "1": [92, 2960, -321, -1110, -2521],
        "2": [403, 1772, 357, -1106, -2353],
        "3": [1301, 2143, 310, 572, -1474],
        "4": [1195, 2710, 533, -391, -156],
        "END": [-1612, 4736, 5884, -864, -7943],
    },
    "attn_1_2": {
        None: [4017, 659, 872, -1055, -2871],
        "0": [260, -899, -604, -514, 1158],
        "1": [-3379, 1078, -491, -1141, 117],
        "2": [-1568, 47, 1792, -1106, -1461],
        "3": [-2838, 24, 1211, 1314, -737],
        "4": [-5316, -1710, 635, 415, 2346],
        "END": [-4315, 7055, 618, 490, -1674],
    },
    "attn_1_3": {
        None: [707, 2077, 91, 1223, -2315],
        "0": [713, -1057, 619, -1739, 555],
        "1": [1158, 1160, 520, -2290, -1938],
        "2": [172, -311, 1458, -1576, -1946],
        "3": [-448, 797, 56, 1629, -958],
        "4": [863, 1633, -200, -54, -18],
        "END": [-1492, -1013, -1931, 1238, 2045],
    },
    "mlp_1_0": {
        None: [4822, 2204, -1790, -1321, -6551],
        1: [2025, 190, -597, -1668, -4119],
        2: [-3365, -1497, 1384, 532, 2950],
        3: [-4078, -2534, 177, 1525, 2702],
        4: [-1350, 1384, 1967, 260, -2255],
        5: [898, 3250, 1259, 158, -3672],
        6: [-334, 678, -658, -100, 104],
        7: [-3139, 500, 698, 580, -1854],
    },
    "mlp_1_1": {
        None: [1633, -3197, 2506, -712, 1082],
        1: [-7101, -919, -919, 1771, 1766],
        2: [-951, -1034, 1313, -1962, -4399],
        3: [970, 1446, 957, -586, -3699],
        4: [-39, 159, -976, 664, 2796],
        5: [2750, 1737, 882, -857, -2709],
        6: [-1969, -286, 730, 1567, -212],
        7: [3478, 1943, 214, -303, -1729],
    },
    "mlp_1_2": {
        None: [-754, -539, 1536, 240, -655],
        1: [2628, 5613, -830, -5047, -7541],
        2: [-7495, -2442, 477, 503, 283],
        3: [7263, 1791, -5733, -6650, -5404],
        4: [-1093, 1212, 2223, -441, -1758],
        5: [-1440, -7218, -683, 2284, 3553],
        6: [-2570, -151, -86, -416, 147],
    },
    "mlp_1_3": {
        None: [987, -1371, 674, 815, 861],
        1: [-4203, -1821, -277, 809, 1023],
        4: [2319, 6229, -2691, -3943, -4827],
        5: [-254, -51, 307, -170, 364],
        6: [-1986, 1503, -387, -1111, -1808],
        7: [-1534, 948, 300, 275, 577],
    },
}


def run(tokens):
    """The answer at every position; `None` stands for the start of the sequence, and for nothing."""
    tokens = [None, *tokens]
    positions = [None, *range(1, len(tokens))]
    attn_0_0 = aggregate(select_closest(positions, positions, matches_0_0), tokens)
    attn_0_1 = aggregate(select_closest(positions, positions, matches_0_1), tokens)
    attn_0_2 = aggregate(select_closest(positions, positions, matches_0_2), tokens)
    attn_0_3 = aggregate(select_closest(positions, tokens, matches_0_3), tokens)
    count_0_4 = count(positions, tokens, matches_0_4)
    count_0_5 = count(positions, tokens, matches_0_5)
    mlp_0_0 = apply(holds_0_0, attn_0_0, positions)
    mlp_0_1 = apply(holds_0_1, attn_0_1, attn_0_3)
    mlp_0_2 = apply(holds_0_2, count_0_4, count_0_5)
    mlp_0_3 = apply(holds_0_3, count_0_5, count_0_5)
    attn_1_0 = aggregate(select_closest(mlp_0_1, mlp_0_3, matches_1_0), tokens)
    attn_1_1 = aggregate(select_closest(positions, tokens, matches_1_1), attn_0_0)
    attn_1_2 = aggregate(select_closest(mlp_0_1, mlp_0_3, matches_1_2), attn_0_1)
    attn_1_3 = aggregate(select_closest(attn_0_0, attn_0_0, matches_1_3), attn_0_2)
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
