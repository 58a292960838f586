"""Wrong answers to every exercise, and a piece of the sentence each must get.

An answer replaces the exercise cell. The stub and the solution come from the lesson itself.
"""

WRONG = {
    "1.1": [
        ("answer = (12, 12, 128)", "count the poolings"),
        ("answer = (24, 24, 64)", "number of filters"),
        ("answer = (24, 24)", "three sizes"),
        ("answer = 24", "three sizes"),
        ("answer = (128, 24, 24)", "channels come last"),
        ("answer = 'large'", "ValueError"),
    ],
    "1.2": [
        ("def dead(maps):\n    return np.flatnonzero((maps.max(axis=(1, 2)) <= 0).any(0))", "silent in some pictures"),
        ("def dead(maps):\n    return np.flatnonzero(maps.mean(axis=(0, 1, 2)) < 0.02)", "one place of one picture"),
        ("def dead(maps):\n    return maps.max(axis=(0, 1, 2)) <= 0", "not true and false"),
        ("def dead(maps):\n    return np.array([], int)", "finds none"),
        ("def dead(maps):\n    return maps.shape[7]", "IndexError"),
        ("dead = 3", "a function is asked for"),
    ],
    "1.3": [
        (
            "r, k = responses[net.stages[4]], barnyard.CLASSES.index('tabby')\n"
            "answer = int(r[gallery.labels == k].mean(0).argmax())",
            "answers to the others",
        ),
        ("answer = 10**6", "IndexError"),
        ("answer = [1, 2]", "one whole number"),
        ("answer = 3.42", "one whole number"),
        ("answer = 1", "leads by"),
    ],
    "2.1": [
        ("answer = (10, 48, 48, 64)", "averages over the places"),
        ("answer = (10, 48 * 48 * 64)", "averages over the places"),
        ("answer = (64, 10)", "rows are pictures"),
        ("answer = 64", "two sizes"),
        ("answer = (10, 128)", "one column a channel"),
    ],
    "2.2": [
        (
            "def odd(vectors, labels):\n    return int(np.linalg.norm(vectors - vectors.mean(0), axis=1).argmax())",
            "finds number",
        ),
        (
            "def odd(vectors, labels):\n    _, found = vizlib.neighbours(vectors, vectors, 11)\n"
            "    return int((labels[found] == labels[:, None]).sum(1).argmax())",
            "finds number",
        ),
        ("def odd(vectors, labels):\n    return [1, 2]", "one whole number"),
        ("def odd(vectors, labels):\n    return vectors[10**6]", "IndexError"),
        ("odd = 17", "a function is asked for"),
    ],
    "2.3": [
        ("answer = ('tabby', 'pig')", "the nearest two"),
        ("answer = ('tabby', 'tabby')", "two different classes"),
        ("answer = ('tabby', 'horse')", "two different classes"),
        ("answer = 'tabby'", "two different classes"),
    ],
    "4.1": [
        ("answer = 25", "slides down as well"),
        ("answer = 28 * 28", "stick out of the picture"),
        ("answer = 24 * 24", "one more place than steps"),
        ("answer = 600", "at which rows"),
        ("answer = 'many'", "at which rows"),
    ],
    "4.2": [
        (
            "def heatmap(drops, boxes, height, width):\n    total = np.zeros((height, width))\n"
            "    for drop, (a, b, c, d) in zip(drops, boxes):\n        total[a:c, b:d] += drop\n    return total",
            "the sum over windows",
        ),
        (
            "def heatmap(drops, boxes, height, width):\n    total, count = np.zeros((2, height, width))\n"
            "    for drop, (a, b, c, d) in zip(drops, boxes):\n        total[a:c, b:d] += drop\n        count[a:c, b:d] += 1\n"
            "    with np.errstate(invalid='ignore'):\n        return total / count",
            "became NaN",
        ),
        (
            "def heatmap(drops, boxes, height, width):\n    last = np.zeros((height, width))\n"
            "    for drop, (a, b, c, d) in zip(drops, boxes):\n        last[a:c, b:d] = drop\n    return last",
            "lies under",
        ),
        ("def heatmap(drops, boxes, height, width):\n    return np.zeros((width, height))", "the picture's size"),
        ("heatmap = 3", "a function is asked for"),
    ],
    "4.3": [
        ("answer = 1000", "did you call each path once"),
        ("answer = 1 / 4.5", "turn it round"),
        ("answer = 'fast'", "ValueError"),
    ],
}
