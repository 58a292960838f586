"""Write the golden numbers of all lessons (`make golden`): only when new results are meant."""

from pathlib import Path

import build
import nbformat
from lessons import LESSONS, read, run

GOLDEN = Path(__file__).parent / "golden"
# What is kept of a lesson: name -> expression, computed after its last cell.
KEPT = {
    "01": {
        "zero": "values[:, 1]",
        "dead": "values[:, 3]",
        "share": "values[:, 4]",
        "ratio": "ratio",
        "maps": "responses[net.stages[4]][:7]",
        "said": "said",
        "eyes": "peaks",
    },
    "02": {
        "shares": "np.array(list(shares.values()))",
        "share": "share",
        "vectors": "vectors[::70]",
        "found": "found[:20]",
        "agreement": "np.array(list(agreement.values()))",
    },
    "03": {
        "middles": "np.array(middles)",
        "iou": "np.array([np.sort(d.iou.max(1))[::-1][:10] for d in dissected.values()])",
        "purity": "np.array([purity(best.image) for best in both.values()])",
        "blue": "blue",
        "photographs": "np.concatenate([found.value for _, found in ranked.values()])",
    },
    "04": {
        "heat": "heat[:, ::8, ::8]",
        "lost": "lost",
        "grades": "grades[1]",
        "effects": "np.array(list(effects.values()))",
        "case": "np.array([list(v.values()) for v in right.values()])",
        "real": "np.stack([result.clean, result.scores.min((1, 2))])",
    },
    "05": {
        "grades": "truth.mass_inside(saliency, masks)",
        "lead": "lead",
        "kept": "np.array(kept['one step (FGSM)'])",
        "scores": "np.array(list(scores.values())).mean(1)",
        "caps": "np.array([np.nanmedian(truth.mass_inside(maps, cap)) for maps in pulls.values()])",
    },
    "06": {
        "alike": "alike",
        "edge": "np.array(edge)",
        "cap": "cap",
        "by_class": "by_class",
        "photographs": "np.stack([*table.values()], 1)",
        "pixels": "np.abs(pixels).sum(-1)[0, ::8, ::8]",
    },
    "07": {
        "named": "np.array(list(named.values()))",
        "counts": "np.array([list(counts.values()) for counts, _ in panels.values()])",
        "cam": "by_hand",
    },
    "gradient_ascent": {
        "reached": "np.concatenate([reached_picked, reached_drawn])",
        "bluest": "np.array([share['colleague'].argmax(), share['pocket'].max() > 0.01])",
    },
    "your_network": {
        "counts": "np.array(counts)",
    },
}


def record(path, folder):
    """Execute a lesson and keep its numbers in the folder; the executed notebook and the file."""
    file = Path(folder) / f"{build.key(path)}.npz"
    kept = ", ".join(f"{name}={value}" for name, value in KEPT[build.key(path)].items())
    book = read(path)
    book.cells.append(
        nbformat.v4.new_code_cell(f"import numpy as np\nnp.savez_compressed({str(file)!r}, {kept})")
    )
    return run(book, path), file


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for path in LESSONS:
        record(path, GOLDEN)
        print(path.name)
