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
        (
            "def dead(maps):\n    return np.flatnonzero((maps.max(axis=(1, 2)) <= 0).any(0))",
            "silent in some pictures",
        ),
        (
            "def dead(maps):\n    return np.flatnonzero(maps.mean(axis=(0, 1, 2)) < 0.02)",
            "one place of one picture",
        ),
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
    "1.4": [
        ("answer = list(eyes)", "duck is goose before and after"),
        ("answer = ['owl', 'koala']", "koala is koala before and after"),
        ("answer = []", "and 3 more"),
        ("answer = 'owl'", "and 2 more"),
        ("answer = ['panda']", "is none of"),
        ("answer = 3", "TypeError"),
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
            "def odd(vectors, labels):\n"
            "    return int(np.linalg.norm(vectors - vectors.mean(0), axis=1).argmax())",
            "finds number",
        ),
        (
            "def odd(vectors, labels):\n    _, found = vizlib.neighbours(vectors, vectors, 11)\n"
            "    return int((labels[found] == labels[:, None]).sum(1).argmax())",
            "finds number",
        ),
        (
            "def odd(vectors, labels):\n"
            "    centres = np.stack([vectors[labels == k].mean(0) for k in labels])\n"
            "    return int(np.linalg.norm(vectors - centres, axis=1).argmax())",
            "and your function finds number",
        ),
        (
            "def odd(vectors, labels):\n    _, found = vizlib.neighbours(vectors, vectors, 10)\n"
            "    return int((labels[found] == labels[:, None]).sum(1).argmin())",
            "and your function finds number",
        ),
        (
            "def odd(vectors, labels):\n    _, found = vizlib.neighbours(vectors, vectors, 6)\n"
            "    return int((labels[found[:, 1:]] == labels[:, None]).sum(1).argmin())",
            "and your function finds number",
        ),
        (
            "def odd(vectors, labels):\n    _, found = vizlib.neighbours(vectors, vectors, 12)\n"
            "    return int((labels[found[:, 1:]] == labels[:, None]).sum(1).argmin())",
            "and your function finds number",
        ),
        (
            "def odd(vectors, labels):\n    gaps, found = vizlib.neighbours(vectors, vectors, 11)\n"
            "    same = labels[found[:, 1:]] == labels[:, None]\n"
            "    return int((same / gaps[:, 1:]).sum(1).argmin())",
            "and your function finds number",
        ),
        ("def odd(vectors, labels):\n    return 999", "there are 60 pictures"),
        ("def odd(vectors, labels):\n    return [1, 2]", "one whole number"),
        ("def odd(vectors, labels):\n    return vectors[10**6]", "IndexError"),
        ("odd = 17", "a function is asked for"),
    ],
    "2.3": [
        ("answer = ('tabby', 'pig')", "the nearest two"),
        ("answer = ('hen', 'duck')", "the nearest two"),
        ("answer = ('tabby', 'tabby')", "two different classes"),
        ("answer = ('tabby', 'horse')", "two different classes"),
        ("answer = 'tabby'", "two different classes"),
    ],
    "2.4": [
        ("answer = (0.04, 0.98)", "by colours it is more"),
        ("answer = (0.98, 0.5)", "by the network it is more"),
        ("answer = (98, 98)", "between 0 and 1"),
        ("answer = 0.98", "two shares"),
        ("answer = ('all', 'all')", "ValueError"),
    ],
    "3.1": [
        ("answer = 17", "further apart"),
        ("answer = 24", "all three convolutions"),
        ("answer = 44", "too wide"),
        ("answer = 14", "too narrow"),
        ("answer = 'wide'", "ValueError"),
    ],
    "3.2": [
        (
            "def crop(picture, box):\n    t, l, b, r = box\n"
            "    return picture[max(t, 0) : b, max(l, 0) : r]",
            "missing part must be grey",
        ),
        (
            "def crop(picture, box):\n    t, l, b, r = box\n    return picture[t:b, l:r]",
            "missing part must be grey",
        ),
        (
            "def crop(picture, box):\n    t, l, b, r = box\n"
            "    wide = np.pad(picture, ((99, 99), (99, 99), (0, 0)))\n"
            "    return wide[t + 99 : b + 99, l + 99 : r + 99]",
            "is 127, not 0",
        ),
        (
            "def crop(picture, box):\n    t, l, b, r = box\n"
            "    patch = np.full((b - t, r - l, 3), 127, picture.dtype)\n"
            "    inside = picture[max(t, 0) : b, max(l, 0) : r]\n"
            "    patch[: len(inside), : inside.shape[1]] = inside\n    return patch",
            "not where it belongs",
        ),
        (
            "def crop(picture, box):\n    l, t, r, b = box\n"
            "    wide = np.pad(picture, ((99, 99), (99, 99), (0, 0)))\n"
            "    return wide[t + 99 : b + 99, l + 99 : r + 99]",
            "another place of it",
        ),
        ("def crop(picture, box):\n    return picture[1000]", "IndexError"),
        ("crop = 3", "a function is asked for"),
    ],
    "3.3": [
        ("answer = (1, 1)", "the cat excites the unit more when it is smaller"),
        ("answer = (1 / 2, 1)", "the cat excites the unit more when it is smaller"),
        ("answer = (1 / 4, 1 / 4)", "the lemur excites the unit more when it is larger"),
        ("answer = (1, 1 / 4)", "the other way round"),
        ("answer = 1 / 4", "give two of"),
        ("answer = (29, 17)", "give two of"),
        ("answer = 'small'", "ValueError"),
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
            "    for drop, (a, b, c, d) in zip(drops, boxes):\n        total[a:c, b:d] += drop\n"
            "    return total",
            "the sum over windows",
        ),
        (
            "def heatmap(drops, boxes, height, width):\n"
            "    total, count = np.zeros((2, height, width))\n"
            "    for drop, (a, b, c, d) in zip(drops, boxes):\n        total[a:c, b:d] += drop\n"
            "        count[a:c, b:d] += 1\n"
            "    with np.errstate(invalid='ignore'):\n        return total / count",
            "became NaN",
        ),
        (
            "def heatmap(drops, boxes, height, width):\n    last = np.zeros((height, width))\n"
            "    for drop, (a, b, c, d) in zip(drops, boxes):\n        last[a:c, b:d] = drop\n"
            "    return last",
            "lies under",
        ),
        (
            "def heatmap(drops, boxes, height, width):\n    return np.zeros((width, height))",
            "the picture's size",
        ),
        ("heatmap = 3", "a function is asked for"),
    ],
    "4.3": [
        ("answer = 1000", "did you call each path once"),
        ("answer = 1 / 4.5", "turn it round"),
        ("answer = 'fast'", "ValueError"),
    ],
    "4.4": [
        ("answer = ('English_springer', 'dalmatian', 'ox')", "1 of 3 are right"),
        ("answer = ('ox', 'ox', 'ox')", "1 of 3 are right"),
        ("answer = ('dalmatian', 'English springer', 'dalmatian')", "2 of 3 are right"),
        ("answer = ('dalmatian', 'springer', 'ox')", "ValueError"),
        ("answer = 'dalmatian'", "three names"),
    ],
    "5.1": [
        ("answer = 4", "two numbers"),
        ("answer = (-4, 1)", "never negative"),
        ("answer = (5.5, 1)", "not the sum or the mean"),
        ("answer = (1, 1)", "whatever its direction"),
        ("answer = (4, 0)", "which of the three is the largest number"),
        ("answer = (0.5, 1)", "then the largest"),
        ("answer = ('four', 1)", "ValueError"),
    ],
    "5.2": [
        (
            "def integrated(slope, x, baseline, steps):\n"
            "    t = (np.arange(steps)[:, None] + 0.5) / steps\n"
            "    return slope(baseline + t * (x - baseline)).mean(0)",
            "multiply by the distance",
        ),
        (
            "def integrated(slope, x, baseline, steps):\n"
            "    t = (np.arange(steps)[:, None] + 0.5) / steps\n"
            "    return x * slope(baseline + t * (x - baseline)).mean(0)",
            "not by x",
        ),
        (
            "def integrated(slope, x, baseline, steps):\n"
            "    t = np.linspace(0, 1, steps)[:, None]\n"
            "    return (x - baseline) * slope(baseline + t * (x - baseline)).mean(0)",
            "not with two",
        ),
        (
            "def integrated(slope, x, baseline, steps):\n"
            "    return (x - baseline) * slope(x[None])[0]",
            "at x alone",
        ),
        (
            "def integrated(slope, x, baseline, steps):\n"
            "    t = (np.arange(steps)[:, None] + 0.5) / steps\n"
            "    return ((x - baseline) * slope(baseline + t * (x - baseline))).sum(0)",
            "of two values",
        ),
        (
            "def integrated(slope, x, baseline, steps):\n    return np.zeros((3, 3))",
            "of shape (2,)",
        ),
        ("integrated = 3", "a function is asked for"),
    ],
    "5.3": [
        ("answer = 0.125", "the answer is still"),
        ("answer = 4", "is it the smallest"),
        ("answer = 3", "give one of"),
        ("answer = 'little'", "ValueError"),
    ],
    "6.1": [
        ("answer = [[3, 0, 2, 0, 1], [0, -1, 2, 0, 1], [0, 0, 2, 0, 1]]", "the other way round"),
        ("answer = [[0, 5, 1, 0, 4], [3, 0, 2, 0, 1], [0, 0, 2, 0, 1]]", "on the way up"),
        ("answer = [[0, 1, 2, 0, 1], [3, 0, 2, 0, 1], [0, 0, 2, 0, 1]]", "look at gradient again"),
        ("answer = [[0, -1, 2, 0, 1], [3, 0, 2, 0, 1], [0, -1, 2, 0, 1]]", "look at guided again"),
        ("answer = [0, -1, 2, 0, 1]", "three lists"),
        ("answer = 'both'", "ValueError"),
    ],
    "6.2": [
        (
            "def unpool(signal, switches):\n    return signal.repeat(2, 0).repeat(2, 1)",
            "the other three are zero",
        ),
        (
            "def unpool(signal, switches):\n"
            "    result = np.zeros((2 * len(signal), 2 * signal.shape[1]))\n"
            "    rows, columns = np.indices(signal.shape)\n"
            "    result[2 * rows + switches % 2, 2 * columns + switches // 2] = signal\n"
            "    return result",
            "rows and columns are swapped",
        ),
        (
            "def unpool(signal, switches):\n"
            "    result = np.zeros((2 * len(signal), 2 * signal.shape[1]))\n"
            "    result[::2, ::2] = signal\n    return result",
            "ask its switch",
        ),
        (
            "def unpool(signal, switches):\n"
            "    return np.zeros((2 * len(signal), 2 * signal.shape[1]))",
            "in a test, place",
        ),
        ("def unpool(signal, switches):\n    return signal", "becomes one of"),
        ("def unpool(signal, switches):\n    return signal[7]", "IndexError"),
        ("unpool = 3", "a function is asked for"),
    ],
    "6.3": [
        (
            "x = net.preprocess(some.images)\n"
            "maps = {r: [vizlib.gradient(net.model, x, k, relu=r) for k in own] for r in RULES}\n"
            "own_maps = {r: np.stack([m[i][i] for i in range(7)]) for r, m in maps.items()}\n"
            "alike = truth.rank_correlation\n"
            "answer = {r: np.mean([alike(own_maps[r], n) for n in m]) for r, m in maps.items()}",
            "agrees with itself",
        ),
        ("answer = {'plain': 0.5, 'deconvnet': 0.5, 'guided': 0.5}", "for plain it is not"),
        ("answer = 'guided'", "one number for each"),
        ("answer = {'guided': 0.99}", "one number for each"),
        ("answer = {rule: 'much' for rule in RULES}", "ValueError"),
    ],
    "6.4": [
        ("answer = ['deconvnet', 'plain', 'guided']", "plain changes more than that of deconvnet"),
        ("answer = ['plain', 'DeconvNet', 'guided']", "guided changes more than that of deconvnet"),
        ("answer = ['deconvnet', 'guided', 'gradient']", "turn the list round"),
        ("answer = 'plain'", "each of the three rules once"),
        ("answer = 7", "each of the three rules once"),
    ],
    "7.1": [
        ("answer = (2, 2, 6)", "its mean, not its sum"),
        ("answer = (2, 2, 2)", "mean of its four places"),
        ("answer = (4, 2, 1.5)", "by the class's weight"),
        ("answer = (2, 2)", "three numbers"),
        ("answer = ('a', 'b', 'c')", "ValueError"),
    ],
    "7.2": [
        (
            "def weighted(maps, gradients):\n    return (maps * gradients.mean((0, 1))).sum(-1)",
            "keep the positive part only",
        ),
        (
            "def weighted(maps, gradients):\n    return np.maximum((maps * gradients).sum(-1), 0)",
            "one weight for each map",
        ),
        (
            "def weighted(maps, gradients):\n"
            "    return np.maximum(maps * gradients.mean((0, 1)), 0).sum(-1)",
            "first add up the maps",
        ),
        (
            "def weighted(maps, gradients):\n"
            "    return np.maximum((maps * gradients.sum((0, 1))).sum(-1), 0)",
            "not the sum",
        ),
        ("def weighted(maps, gradients):\n    return np.ones(maps.shape[:2])", "add the maps up"),
        (
            "def weighted(maps, gradients):\n    return maps * gradients.mean((0, 1))",
            "one number for each place",
        ),
        ("weighted = 3", "a function is asked for"),
    ],
    "7.3": [
        ("answer = 'hens'", "most like a sheep"),
        ("answer = 'ram'", "give one of"),
        ("answer = 3", "give one of"),
    ],
    "7.4": [
        ("answer = 'edge detector'", "absolute ones at 1.0"),
        ("answer = 'random'", "absolute ones at"),
        ("answer = 'Grad-CAM'", "its signed maps correlate"),
        ("answer = 'GUIDED backprop'", "its signed maps correlate at 1.0"),
        ("answer = 'saliency'", "give one of"),
        ("answer = 7", "give one of"),
    ],
    "7.5": [
        (
            "answer = ['blue cap', 'red cap', 'yellow cap', 'grey cap', 'cyan cap']",
            "with 'red cap' it calls",
        ),
        ("answer = ['Blue cap', 'cyan cap']", "and 3 more"),
        (
            "answer = ['blue cap', 'cyan cap', 'blue disc', 'corner disc', 'side cap', 'bare']",
            "with 'bare' it calls",
        ),
        ("answer = 'hat'", "there is no variant 'hat'"),
        ("answer = 7", "TypeError"),
    ],
    "B1.1": [
        ("answer = (3, 4)", "these are the weights"),
        ("answer = (0.3, 0.4)", "not of their sum"),
        ("answer = (0.424, 0.566)", "over all four pixels"),
        ("answer = (1.2, 1.6)", "the step's is smaller"),
        ("answer = (0.6, 0.8, 0, 0)", "two numbers"),
        ("answer = (1, 1)", "divide the weights by the root"),
        ("answer = 'white'", "ValueError"),
    ],
    "B1.2": [
        ("def both(z):\n    return z[:, classes[0]]", "with the logit of the flamingo"),
        ("def both(z):\n    return z[:, classes[1]]", "with the logit of the shepherd"),
        ("def both(z):\n    return z[:, classes[0]] - z[:, classes[1]]", "of the flamingo"),
        ("def both(z):\n    return tf.gather(z, classes, axis=1)", "64 numbers are asked for"),
        ("def both(z):\n    return z[:, 10**6]", "Error"),
        ("both = 3", "a function is asked for"),
    ],
    "B1.3": [
        (
            "def blue(pictures):\n"
            "    red, green, blue = np.moveaxis(pictures, -1, 0)\n"
            "    return ((blue - red > 60) & (blue - green > 60)).mean((1, 2))",
            "uint8 has no negative numbers",
        ),
        (
            "def blue(pictures):\n"
            "    red, green, blue = np.moveaxis(pictures.astype(int), -1, 0)\n"
            "    return (blue - np.maximum(red, green) > 60).sum((1, 2))",
            "a share is asked for",
        ),
        (
            "def blue(pictures):\n"
            "    blue, green, red = np.moveaxis(pictures.astype(int), -1, 0)\n"
            "    return (blue - np.maximum(red, green) > 60).mean((1, 2))",
            "blue in a red picture",
        ),
        ("def blue(pictures):\n    return (pictures[..., 2] > 60).mean()", "3 numbers"),
        ("def blue(pictures):\n    return (pictures[..., 2] > 128).mean((1, 2))", "the shares are"),
        ("blue = 0.1", "a function is asked for"),
    ],
    "B2.1": [
        ("answer = right.mean()", "go in rightly"),
        ("answer = 25", "from 0 to 1"),
        ("answer = 0.6", "divided by 255"),
        ("answer = 'none'", "ValueError"),
    ],
    "B2.2": [
        ("answer = net", "384 numbers"),
        ("answer = 40", "a Net is asked for"),
        (
            "answer = vizlib.Net.of(\n"
            "    keras.models.clone_model(\n"
            "        transfer(collected[training], labels[training], layer='fire9_concat')\n"
            "    ),\n"
            "    labels=CLASSES,\n)",
            "is its head trained",
        ),
    ],
    "B2.3": [
        (
            "answer = np.sum(answers(squeezenet, photographs) == answers(squeezenet, "
            "stamp(photographs)))",
            "answers that stay",
        ),
        ("answer = 1000", "compare the largest logits"),
        ("answer = 'many'", "ValueError"),
    ],
}
