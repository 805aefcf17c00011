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
        None: [1, -3, 4, -1, 3, -1, -5],
        "0": [22, -3, -6, -11, -25, -17, -25],
        "1": [-20, 22, -13, -10, -18, -13, 26],
        "2": [-8, -2, 16, -8, -23, -8, -8],
        "3": [-11, -1, -3, 18, -15, -9, -4],
        "4": [-18, -2, -16, -11, 39, -23, -26],
        "5": [-14, -6, -12, -8, -18, 13, 17],
    },
    "positions": {
        None: [4, 5, 2, 1, 3, 2, -3],
        1: [25, 38, 35, 12, 34, 9, -236],
        2: [16, -8, 24, -2, 9, 27, -141],
        3: [4, 15, -2, 22, -6, -4, -48],
        4: [-7, -19, -13, 5, -23, 0, 60],
        5: [-25, -27, -43, -25, -3, -18, 81],
        6: [-58, -58, -80, -67, -64, -61, 128],
        7: [-95, -60, -100, -106, -93, -73, 113],
    },
    "attn_0_0": {
        None: [15, -10, -9, 8, -7, 4, 4],
        "0": [30, -15, -8, -2, -13, -9, 12],
        "1": [-26, 35, 1, -2, -11, -23, 5],
        "2": [-17, 2, 17, -12, -11, 0, -5],
        "3": [-8, -7, -6, 21, -3, 1, -13],
        "4": [-12, -4, -2, -12, 25, 10, -8],
        "5": [-14, -15, 2, -9, 21, 18, -13],
    },
    "attn_0_1": {
        None: [-1, -14, 1, -12, 5, 3, 12],
        "0": [17, -5, -4, 1, 4, -2, 1],
        "1": [1, 41, 2, -8, 8, 6, -99],
        "2": [-6, 1, 21, 2, 4, -3, -14],
        "3": [-10, -13, -9, 35, 2, -4, -17],
        "4": [-2, -14, 4, -9, 1, 7, 11],
        "5": [3, -4, 6, -7, 5, 6, -2],
    },
    "attn_0_2": {
        None: [-4, 6, -7, 3, -1, -15, 17],
        "0": [21, -5, -9, -1, 1, 2, -8],
        "1": [-6, -1, -5, 0, -3, -19, 43],
        "2": [-11, -1, 27, -4, -7, 5, -8],
        "3": [-7, 1, -8, 19, 1, -2, -4],
        "4": [-4, 7, -5, 6, 11, 9, -51],
        "5": [-1, -3, -7, 3, -9, 38, -81],
    },
    "attn_0_3": {
        None: [-1, 8, -7, -4, 1, 1, -13],
        "0": [-6, 6, -8, 3, 6, 13, -4],
        "1": [16, 1, -5, -1, 4, -4, 20],
        "2": [1, -5, 1, -7, -2, 1, -11],
        "3": [7, -2, -2, 0, 2, 4, -13],
        "4": [5, 1, 8, 4, 5, -18, -4],
        "5": [3, 4, 8, -3, 2, 0, 7],
    },
    "mlp_0_0": {
        None: [-4, 8, -5, -3, -10, -10, 21],
        1: [-5, -12, -3, -4, -11, 4, 4],
        2: [4, 10, 12, 8, 4, 6, -56],
        3: [2, 7, 6, 6, 3, 8, -23],
        4: [-1, -2, 6, 5, 7, 12, 3],
        5: [3, -3, 5, 6, -1, 5, -19],
        6: [-16, -5, -2, 0, -21, -15, 45],
        7: [13, 9, 8, 8, 6, 10, -19],
    },
    "mlp_0_1": {
        None: [11, 6, 7, 2, 3, 13, -17],
        1: [3, -6, 3, 1, -3, 4, 22],
        2: [-5, -1, -1, -4, -4, -3, -3],
        3: [-1, 8, 6, 2, 1, 3, -4],
        4: [7, 13, 4, 5, 3, -1, -31],
        5: [4, -5, 1, -1, -8, 1, 16],
        6: [-7, 5, -5, 3, 0, -6, 17],
        7: [6, -2, 7, 5, 6, 9, -51],
    },
    "mlp_0_2": {
        None: [-3, -3, 2, -1, 4, 2, -10],
        1: [4, 4, -5, -4, 2, -96, -3],
        2: [-6, 6, -2, 1, 0, 11, -6],
        3: [7, 5, -2, 1, 3, -2, -8],
        4: [-2, 11, -1, 2, -2, 2, 2],
        5: [5, 0, -1, 2, 8, -69, 0],
        6: [0, -9, 1, 2, -2, 14, -2],
        7: [5, 13, 4, 6, -7, -21, -7],
    },
    "mlp_0_3": {
        None: [-10, 30, -18, -9, -20, -2, 11],
        1: [-2, -5, -1, 4, -3, 27, -13],
        2: [2, 18, -1, 6, -3, -5, -13],
        3: [3, 1, 3, 7, 3, -14, 5],
        4: [1, -7, 0, 3, 3, 0, 4],
        5: [1, -11, -3, 1, 5, -50, 0],
        6: [4, -7, 0, 3, 6, 4, -16],
        7: [6, -13, -1, 2, 6, 9, 7],
    },
    "attn_1_0": {
        None: [0, -1, 2, 3, -43, 10, 26],
        "0": [5, -3, 1, 5, 24, -10, -29],
        "1": [4, 5, 3, 4, 22, -12, -22],
        "2": [0, 2, 7, 4, 23, -11, -23],
        "3": [6, 1, 2, 6, 25, -9, -25],
        "4": [3, -1, 0, 3, 27, -13, -17],
        "5": [2, -4, 3, 4, 21, -6, -26],
    },
    "attn_1_1": {
        None: [1, -2, 1, -13, 0, -4, 12],
        "0": [13, 8, 1, 1, 4, 2, -4],
        "1": [5, 20, 2, -11, 4, -8, 3],
        "2": [-5, 0, 12, -1, 3, 0, -9],
        "3": [2, -1, -4, 28, 1, -2, -44],
        "4": [-2, 2, 9, -5, 12, 18, -22],
        "5": [8, 2, 5, -11, 3, 15, 1],
    },
    "attn_1_2": {
        None: [9, 13, 2, 11, 24, -10, -78],
        1: [-73, -23, -94, -7, -69, 46, -18],
        2: [-7, -6, -10, -4, 0, -8, 70],
        3: [0, 23, 0, 5, 5, 8, -39],
        4: [11, 21, 8, 14, -13, -37, 31],
        5: [11, 13, 10, 17, -15, -85, -37],
        6: [2, -16, 0, 5, 17, 9, -32],
        7: [-3, -35, -4, 0, 21, 12, -24],
    },
    "attn_1_3": {
        None: [-2, -6, 6, 3, 3, 1, 1],
        1: [-3, -5, 0, 9, 6, 9, -9],
        2: [4, 14, -20, 8, 4, 0, -6],
        3: [9, -2, 10, 8, -32, 9, -6],
        4: [12, 0, 5, 7, 8, 8, -15],
        5: [14, -1, 4, -1, 9, 6, -2],
        6: [11, 4, 11, 12, 15, 12, -9],
        7: [-9, -2, 2, 4, 4, 5, -21],
    },
    "mlp_1_0": {
        None: [5, -1, -8, 13, 9, -2, -2],
        1: [-16, 10, 10, 7, 12, 1, -15],
        3: [16, -27, -1, 6, 5, 14, 5],
        4: [1, 13, 0, -32, 19, 3, 9],
        7: [3, 5, -2, 11, -26, -17, 11],
    },
    "mlp_1_1": {
        None: [0, -1, 9, -1, -4, -2, 0],
        1: [1, 0, -3, 0, -1, -7, 10],
        4: [3, 1, 10, -1, -8, -8, -8],
        5: [3, -1, -3, 5, 0, -1, -9],
        6: [11, 1, -4, -5, 8, 4, 1],
    },
    "mlp_1_2": {
        None: [-3, -2, -4, -2, 1, 4, 0],
        1: [1, 0, -3, -7, 0, 1, 16],
        2: [6, 10, 2, 6, 5, -1, 1],
        3: [5, 8, 1, 2, 3, -10, -13],
        4: [3, 3, 1, 2, 5, 7, -24],
        5: [-1, 0, -5, -5, -1, -4, 27],
        6: [1, -20, 15, 17, -39, -11, -47],
        7: [7, 8, 7, 6, 8, 2, -46],
    },
    "mlp_1_3": {
        None: [12, 6, 10, 3, 23, -98, -22],
        2: [5, -1, 4, 2, 8, 3, -28],
        3: [2, 10, 2, 4, -7, -18, 36],
        4: [1, 1, 3, 3, -2, 14, -35],
    },
    "attn_2_0": {
        None: [2, -6, -7, -2, -2, -3, -2],
        1: [0, 5, 0, 8, 10, 8, -10],
        3: [4, 0, 2, 2, -5, 2, -21],
        4: [0, 0, 1, -12, 1, 4, 5],
        7: [6, 5, 1, 7, -23, 5, 12],
    },
    "attn_2_1": {
        None: [-1, 6, 0, -2, 0, 1, 10],
        1: [4, -6, -2, 1, -3, 12, -15],
        2: [4, 4, 5, 3, 3, 6, -19],
        3: [2, 6, 3, -1, 1, 1, -15],
        4: [3, 5, 6, 3, 4, 6, -11],
        5: [8, 10, 8, 1, 5, -110, -7],
        6: [2, 0, 4, 0, -1, 5, -13],
        7: [-1, -7, 6, 1, 0, 6, -15],
    },
    "attn_2_2": {
        None: [2, -5, 11, 1, -5, -9, 0],
        2: [6, -6, -1, 2, 13, -58, -8],
        3: [-84, -82, -80, -52, -82, -50, 91],
        4: [2, -8, 0, 4, -5, 15, -22],
    },
    "mlp_2_0": {
        None: [5, 0, 9, 0, -10, 4, -8],
        1: [10, 6, -16, 8, 9, 10, 6],
        2: [-3, 12, 0, -6, 0, -18, 5],
        3: [-3, -9, 4, 24, -16, -7, -24],
        4: [9, -13, 1, -3, 13, 5, 2],
        5: [4, 5, 0, -6, 2, 6, -9],
        6: [-20, 8, 4, -1, 11, 16, 7],
        7: [6, 2, 6, 0, 10, 7, -5],
    },
    "mlp_2_1": {
        None: [2, -1, 0, -8, 0, 0, 4],
        1: [-7, -1, 0, -6, 2, -6, -5],
        4: [-6, -3, -2, 0, -2, 10, 6],
        7: [1, -4, 2, 3, 2, -1, -1],
    },
    "mlp_2_2": {
        None: [8, 4, 4, 2, 4, 4, -14],
        1: [7, 6, 1, 10, 8, 4, -16],
        3: [-1, -1, -2, 2, -2, 0, -3],
        4: [2, 0, -1, -11, -3, -1, 25],
        5: [4, 0, -4, 9, -3, -1, -10],
        6: [7, 6, 3, 14, 2, 5, -38],
        7: [9, -49, -27, -13, -7, -48, 41],
    },
    "mlp_2_3": {
        None: [16, 10, 21, 12, 12, 12, -99],
        1: [10, 2, 15, 7, 6, 4, -90],
        2: [-2, -1, 5, 3, 3, 2, 2],
        4: [14, 4, 15, 5, 8, 5, -77],
        5: [4, -4, 2, -1, 2, -1, -3],
        6: [-15, -15, -23, -11, -10, -12, 96],
        7: [6, -2, 1, 0, 0, 1, -4],
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
