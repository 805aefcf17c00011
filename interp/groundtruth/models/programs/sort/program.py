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
        None: [-4, -10, 2, -3, -6],
        "0": [56, 10, -2, -14, -27],
        "1": [-10, 27, 4, -14, -39],
        "2": [-13, 6, 26, -7, -35],
        "3": [-45, -19, 0, 24, -9],
        "4": [-49, -38, -21, 1, 35],
        "END": [2, 5, 1, 1, 0],
    },
    "positions": {
        None: [1, -6, -4, -3, 4],
        1: [85, 44, 2, -76, -60],
        2: [-37, -8, -24, 0, 41],
        3: [-132, 74, 20, -16, -11],
        4: [5, -52, 24, 35, -9],
        5: [-84, -97, -11, 49, 37],
        6: [-91, -23, -40, 13, 37],
        7: [5, 0, -3, -2, -4],
    },
    "attn_0_0": {
        None: [3, 12, -2, -1, -8],
        "0": [3, -15, 7, 2, -4],
        "1": [12, 23, 3, -8, -20],
        "2": [0, -4, 20, -8, -37],
        "3": [-15, -5, -7, 16, -12],
        "4": [-9, -18, -21, -4, 25],
        "END": [-21, -2, -39, 12, 43],
    },
    "attn_0_1": {
        None: [-5, -3, 2, 4, 18],
        "0": [42, 8, 7, -14, -48],
        "1": [8, 29, 8, -11, -50],
        "2": [6, 16, 23, -5, -47],
        "3": [-9, 5, 9, 13, -29],
        "4": [-22, -14, -10, 8, 13],
        "END": [-32, -38, -17, 2, 64],
    },
    "attn_0_2": {
        None: [-72, -31, -19, 4, 66],
        "0": [42, 23, 5, -16, -51],
        "1": [25, 29, 8, -16, -55],
        "2": [-2, 2, 24, -8, -49],
        "3": [-6, -11, 1, 16, -31],
        "4": [2, 6, 5, 9, -4],
        "END": [-28, -25, -14, 6, 37],
    },
    "attn_0_3": {
        None: [-6, 33, 6, 20, -29],
        "0": [142, -54, -18, 9, -7],
        "1": [14, 10, 8, -1, -32],
        "2": [-21, 42, 64, -34, -103],
        "3": [-1, -18, -4, 8, 16],
        "4": [-68, -30, -37, -9, 72],
        "END": [-12, 4, 13, 15, -4],
    },
    "mlp_0_0": {
        None: [8, 121, 6, -18, -19],
        1: [4, -43, -4, 18, -8],
        2: [-7, -5, 1, 4, 0],
        3: [-10, -43, -2, 23, 38],
        5: [-70, 4, 2, 5, 7],
        6: [-36, -62, 6, 25, 40],
        7: [98, 16, 1, -49, -60],
    },
    "mlp_0_1": {
        None: [9, 3, 1, 0, -7],
        1: [-18, -12, -7, 13, 0],
        2: [4, -4, -9, 0, 16],
        3: [85, 45, 24, -13, -47],
        4: [-8, -3, -3, 0, 8],
        5: [40, 3, 6, 7, -19],
        6: [45, 11, -3, -18, -21],
        7: [4, 8, -6, 4, -4],
    },
    "mlp_0_2": {
        None: [-5, 7, 11, 7, -11],
        1: [36, -4, -18, -23, -4],
        2: [-107, -19, 4, 25, 13],
        3: [187, -93, -90, -96, -96],
        5: [24, 76, 7, -38, -72],
        6: [-158, 21, 15, 12, -22],
        7: [-42, -17, 9, 12, 21],
    },
    "mlp_0_3": {
        None: [-2, 8, 3, 6, -1],
        1: [37, 61, 1, -33, -54],
        2: [-57, -12, 8, 16, 12],
        3: [138, -29, -47, -80, -97],
    },
    "attn_1_0": {
        None: [25, 8, 5, -3, 2],
        "0": [50, 14, -2, -34, -47],
        "1": [-13, 33, 5, -27, -47],
        "2": [-3, 12, 27, -16, -36],
        "3": [-29, -12, 5, 22, -5],
        "4": [-33, -21, -7, 4, 42],
        "END": [-9, -1, 11, 17, 14],
    },
    "attn_1_1": {
        None: [-49, -45, 11, 18, 27],
        "0": [23, 9, -12, -17, -26],
        "1": [1, 30, -3, -11, -25],
        "2": [4, 18, 4, -11, -24],
        "3": [13, 21, 3, 6, -15],
        "4": [12, 27, 5, -4, -2],
        "END": [-16, 47, 59, -9, -79],
    },
    "attn_1_2": {
        None: [40, 7, 9, -11, -29],
        "0": [3, -9, -6, -5, 12],
        "1": [-34, 11, -5, -11, 1],
        "2": [-16, 0, 18, -11, -15],
        "3": [-28, 0, 12, 13, -7],
        "4": [-53, -17, 6, 4, 23],
        "END": [-43, 71, 6, 5, -17],
    },
    "attn_1_3": {
        None: [7, 21, 1, 12, -23],
        "0": [7, -11, 6, -17, 6],
        "1": [12, 12, 5, -23, -19],
        "2": [2, -3, 15, -16, -19],
        "3": [-4, 8, 1, 16, -10],
        "4": [9, 16, -2, -1, 0],
        "END": [-15, -10, -19, 12, 20],
    },
    "mlp_1_0": {
        None: [48, 22, -18, -13, -66],
        1: [20, 2, -6, -17, -41],
        2: [-34, -15, 14, 5, 30],
        3: [-41, -25, 2, 15, 27],
        4: [-14, 14, 20, 3, -23],
        5: [9, 32, 13, 2, -37],
        6: [-3, 7, -7, -1, 1],
        7: [-31, 5, 7, 6, -19],
    },
    "mlp_1_1": {
        None: [16, -32, 25, -7, 11],
        1: [-71, -9, -9, 18, 18],
        2: [-10, -10, 13, -20, -44],
        3: [10, 14, 10, -6, -37],
        4: [0, 2, -10, 7, 28],
        5: [28, 17, 9, -9, -27],
        6: [-20, -3, 7, 16, -2],
        7: [35, 19, 2, -3, -17],
    },
    "mlp_1_2": {
        None: [-8, -5, 15, 2, -7],
        1: [26, 56, -8, -50, -75],
        2: [-75, -24, 5, 5, 3],
        3: [73, 18, -57, -66, -54],
        4: [-11, 12, 22, -4, -18],
        5: [-14, -72, -7, 23, 36],
        6: [-26, -2, -1, -4, 1],
    },
    "mlp_1_3": {
        None: [10, -14, 7, 8, 9],
        1: [-42, -18, -3, 8, 10],
        4: [23, 62, -27, -39, -48],
        5: [-3, -1, 3, -2, 4],
        6: [-20, 15, -4, -11, -18],
        7: [-15, 9, 3, 3, 6],
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
