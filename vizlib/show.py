"""Everything that has a colour.

Functions that draw return a matplotlib Figure; `figure` puts it on the page.
"""

import io
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from IPython.display import display
from matplotlib import colormaps
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image
from scipy.ndimage import gaussian_filter

from . import photos
from ._checks import as_array, as_numbers, as_singles, quoted
from .backprop import guided_backprop
from .class_maps import grad_cam, upsample
from .embeddings import features, neighbours
from .engine import both_sides, probabilities
from .feature_maps import activations
from .gradients import saliency
from .models import Net, check_stages, class_number
from .patches import crop, field_or_none, top_patches
from .perturbation import occlusion
from .types import Maps

DPI, WIDEST = 144, 10  # dots per inch, inches
SEQUENTIAL, DIVERGING = "viridis", "RdBu_r"


def figure(fig: Figure) -> None:
    """Put a figure on the page and close it.

    Images and maps become JPEG, charts PNG; at most 10 inches wide, 144 dots per inch.

    Parameters
    ----------
    fig : matplotlib.figure.Figure

    Raises
    ------
    ValueError
        A figure that is too wide for a page.

    Examples
    --------
    >>> import numpy as np
    >>> from vizlib import show
    >>> fig = show.grid([np.eye(4)], width=1)
    >>> show.figure(fig)  # doctest: +ELLIPSIS
    {'image/png': ...'text/plain': 'A figure.'}
    """
    if fig.get_figwidth() > WIDEST:
        raise ValueError(
            f"A page takes figures of up to {WIDEST} inches, not {fig.get_figwidth():g}: "
            "make it narrower."
        )
    drawn = io.BytesIO()
    fig.savefig(drawn, format="png", dpi=DPI, facecolor="white")
    plt.close(fig)
    picture = Image.open(drawn).convert("RGB")
    photographic = any(min(image.get_size()) >= 32 for axes in fig.axes for image in axes.images)
    mime = "image/jpeg" if photographic else "image/png"
    encoded = io.BytesIO()
    if photographic:
        picture.save(encoded, format="JPEG", quality=85)
    else:
        picture.save(encoded, format="PNG", optimize=True)
    size = {"width": picture.width // 2, "height": picture.height // 2}
    display({mime: encoded.getvalue(), "text/plain": "A figure."}, metadata={mime: size}, raw=True)


def grid(
    images: Iterable[np.ndarray | None],
    *,
    titles: Sequence[str] = (),
    rows: Sequence[str] = (),
    columns: int | None = None,
    limits: tuple[float, float] | None = None,
    unit: str = "",
    outlines: Sequence[np.ndarray | None] = (),
    width: float = 9.0,
) -> Figure:
    """Images and maps in rows and columns.

    Parameters
    ----------
    images : sequence of arrays
        Images (H, W, 3), uint8 or in 0..1; maps (h, w), each from 0 to its own largest value;
        boolean masks (H, W); or None for an empty cell. If any map has negative values, all are
        drawn in two colours around zero.
    titles : sequence of str
        Over each image, or over each column if there is one per column.
    rows : sequence of str
        To the left of each row.
    columns : int, optional
        Without it, as many as make the grid about twice as wide as high.
    limits : (low, high), optional
        One scale for all maps, with a colour bar named `unit`.
    outlines : sequence of masks (H, W), bool
        A thin line drawn around each on its image or map, of whatever size; None for no line.
    width : float
        In inches.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Not one image.

    Examples
    --------
    >>> import numpy as np
    >>> from vizlib import show
    >>> fig = show.grid([np.eye(4), 1 - np.eye(4)], titles=["map", "the rest"], width=4)
    >>> [axes.get_title() for axes in fig.axes]
    ['map', 'the rest']
    """
    images = list(images)
    shapes = [image.shape for image in images if image is not None]
    if not shapes:
        raise ValueError("A grid shows at least one image or map: give one.")
    columns = columns or min(len(images), max(1, int(np.ceil(np.sqrt(2 * len(images))))))
    lines = -(-len(images) // columns)
    cell = (width - 0.9 * bool(rows) - 0.8 * bool(limits)) / columns
    height = lines * cell * max(s[0] / s[1] for s in shapes) + 0.22 * (
        lines if len(titles) > columns else bool(titles)
    )
    has_signed = any(image is not None and image.ndim == 2 and image.min() < 0 for image in images)
    tight = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.04, wspace=0, hspace=0)
    fig = Figure((width, height), dpi=DPI, layout=tight)
    axes = fig.subplots(lines, columns, squeeze=False)
    drawn = None
    for i, ax in enumerate(axes.flat):
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        if i < len(images) and images[i] is not None:
            drawn = _draw(ax, images[i], limits, has_signed) or drawn
        if i < len(titles):
            ax.set_title(titles[i], fontsize=9, pad=3)
    for ax, image, mask in zip(axes.flat, images, outlines):
        if mask is not None:
            y, x = ((np.arange(n) + 0.5) * m / n - 0.5 for n, m in zip(mask.shape, image.shape))
            ax.contour(x, y, mask, [0.5], colors="black" if has_signed else "white", linewidths=0.7)
    for ax, row in zip(axes[:, 0], rows):
        ax.set_ylabel(row, fontsize=9, rotation=0, ha="right", va="center", labelpad=6)
    if limits and drawn:
        fig.colorbar(drawn, ax=axes, shrink=0.8, pad=0.01).set_label(unit, fontsize=9)
    return fig


def _draw(ax, image, limits, has_signed):
    """Draw an image, a mask or a map; returns the artist of a map."""
    if image.ndim == 3 or image.dtype == bool:
        ax.imshow(image, cmap="gray", interpolation="nearest" if len(image) < 64 else None)
        return None
    top = float(np.abs(image).max()) or 1.0
    low, high = limits or (-top if has_signed else 0.0, top)
    return ax.imshow(
        image,
        cmap=DIVERGING if has_signed else SEQUENTIAL,
        vmin=low,
        vmax=high,
        interpolation="nearest",
    )


def signed(maps: Maps, *, share: float = 1.0) -> np.ndarray:
    """Signed maps with three channels, (N, h, w, 3), as images in 0..1: grey is zero.

    Each map goes by its own largest value or, with a `share` below 1, by the value that this share
    of its values does not exceed; the rest is drawn as bright as that.

    Raises
    ------
    ValueError
        Maps of another shape, or that are no finite real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from vizlib import show
    >>> maps = np.array([-2, 0, 1]).reshape(1, 1, 1, 3)
    >>> show.signed(maps).ravel().tolist()
    [0.0, 0.5, 0.75]
    """
    maps = as_singles(maps, "Maps")
    if maps.ndim < 3 or not maps.size:
        raise ValueError(f"Maps have the shape (N, h, w, 3), not {maps.shape}.")
    size, axes = np.abs(maps), (-3, -2, -1)
    top = (
        size.max(axes, keepdims=True)
        if share == 1
        else np.quantile(size, share, axis=axes, keepdims=True)
    )
    # a map that is zero almost everywhere goes by its largest value
    top = np.where(top == 0, size.max(axes, keepdims=True), top)
    return 0.5 + 0.5 * np.clip(maps / np.where(top == 0, 1, top), -1, 1)


def overlay(
    picture: np.ndarray,
    heat: np.ndarray,
    *,
    strength: float = 0.9,
    limits: tuple[float, float] | None = None,
) -> np.ndarray:
    """A map laid over its picture: grey where the map is zero, coloured where it is not.

    Parameters
    ----------
    picture : array, (H, W, 3), uint8
    heat : array, (h, w)
        Enlarged to the picture (bilinear). All zero is legal; what is negative is drawn as zero.
    strength : float
        How much of the picture the colour covers where the map is largest, from 0 to 1.
    limits : (low, high), optional
        Else from 0 to the largest value, or to 1 where no value is positive.

    Returns
    -------
    ndarray, (H, W, 3), uint8

    Raises
    ------
    ValueError
        A picture that is not uint8 or has no three channels; a map that is not (h, w), or holds
        NaN; a strength outside 0..1; limits that do not rise.

    Examples
    --------
    >>> import numpy as np
    >>> from vizlib import show
    >>> show.overlay(np.full((2, 2, 3), 90, "uint8"), np.zeros((2, 2)))[0, 0]
    array([90, 90, 90], dtype=uint8)
    """
    picture, heat = as_array(picture, "The picture"), as_numbers(heat, "The map's values")
    if picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise ValueError(
            f"A picture to draw on has the shape (H, W, 3), not {picture.shape}: give pictures[0] "
            "of a batch, or np.stack([picture] * 3, -1) for a grey one (H, W)."
        )
    if picture.dtype != np.uint8:
        raise ValueError(
            f"A picture to draw on is uint8, not {picture.dtype}: give np.uint8(255 * picture) for "
            "one in 0..1, or net.deprocess(images)[0] for what a network takes."
        )
    if heat.ndim != 2 or not heat.size:
        raise ValueError(
            f"A map to lay over a picture has the shape (h, w), not {heat.shape}: give maps[0] of "
            "a batch, or np.abs(maps).max(-1) for one with channels."
        )
    ends = as_numbers((0, max(heat.max(), 0) or 1) if limits is None else limits, "limits")
    if ends.shape != (2,) or ends[0] >= ends[1]:
        raise ValueError(
            f"limits are two rising numbers, (low, high), not {quoted(ends.tolist())}."
        )
    cover = as_numbers(strength, "strength")
    if cover.shape or not 0 <= cover <= 1:
        raise ValueError(f"strength is a number from 0 to 1, not {quoted(cover.tolist())}.")
    low, high = ends.tolist()
    # of halves, so that no difference overflows
    level = np.clip((heat / 2 - low / 2) / (high / 2 - low / 2), 0, 1).astype("float32")
    level = Image.fromarray(level).resize(picture.shape[1::-1], Image.Resampling.BILINEAR)
    level = np.asarray(level)[..., None]
    colour = colormaps["inferno"](level[..., 0])[..., :3] * 255
    grey = picture.mean(-1, keepdims=True)
    cover = float(cover) * np.sqrt(level)
    return np.rint(grey * (1 - cover) + colour * cover).astype("uint8")


def thumbnails(
    pictures: np.ndarray,
    points: np.ndarray,
    *,
    groups: Sequence | np.ndarray | None = None,
    grid: bool = False,
    side: float = 0.045,
    width: float = 9.0,
) -> Figure:
    """Images in the plane, each at its point.

    Parameters
    ----------
    pictures : array, (N, H, W, 3), uint8
    points : array, (N, 2)
    groups : array, (N,), optional
        Names or numbers; each gets a colour, for the frames and dots, and a line in the legend.
    grid : bool
        Move every image to a cell of a square grid, as near as possible to its point, so that all
        are seen. Otherwise an image that would cover another one is a dot.
    side : float
        Of an image, as a share of the figure's; in a grid the grid decides.
    width : float
        In inches.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import numpy as np
    >>> from vizlib import show
    >>> images = np.zeros((3, 8, 8, 3), "uint8")
    >>> fig = show.thumbnails(images, [[0, 0], [1, 2], [1.01, 2]], width=2)
    >>> len(fig.axes[0].images)  # the third would cover the second
    2
    """
    points = np.asarray(points, float) - np.min(points, 0)
    points /= np.maximum(points.max(0), 1e-12)
    if grid:
        from scipy.optimize import linear_sum_assignment

        cells = int(np.ceil(np.sqrt(len(points))))
        side = 1 / cells
        centres = (np.indices((cells, cells)).reshape(2, -1).T + 0.5) * side
        # ranks fill the square evenly, whatever the shape of the cloud
        ranks = points.argsort(0).argsort(0) / max(len(points) - 1, 1)
        _, chosen = linear_sum_assignment(((ranks[:, None] - centres[None]) ** 2).sum(-1))
        points, shown = centres[chosen], np.arange(len(points))
    else:
        points, shown = points * (1 - side) + side / 2, []
        for i in range(len(points)):
            if not shown or np.abs(points[shown] - points[i]).max(-1).min() >= side:
                shown.append(i)
    fig = Figure((width, width), dpi=DPI)
    ax = fig.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.set_axis_off()
    names = list(dict.fromkeys(groups if groups is not None else ()))
    colours = (
        [colormaps["tab10"](names.index(group) % 10) for group in groups] if names else "tab:gray"
    )
    ax.scatter(*points.T, s=9, color=colours, linewidths=0)
    for i in shown:
        x, y = points[i]
        r = 0.46 * side
        if names:
            ax.add_patch(
                plt.Rectangle(
                    (x - side / 2, y - side / 2), side, side, color=colours[i], linewidth=0
                )
            )
        ax.imshow(pictures[i], extent=(x - r, x + r, y - r, y + r), zorder=3, aspect="auto")
    ax.set(xlim=(0, 1), ylim=(0, 1))
    if names:
        handles = [
            plt.Line2D([], [], marker="s", linestyle="", color=colormaps["tab10"](k % 10))
            for k in range(len(names))
        ]
        ax.legend(
            handles,
            names,
            loc="upper center",
            bbox_to_anchor=(0.5, 0),
            ncols=len(names),
            frameon=False,
            fontsize=8,
            columnspacing=1,
            handletextpad=0,
        )
        fig.set_size_inches(width, width + 0.4)
        ax.set_position((0, 0.4 / (width + 0.4), 1, width / (width + 0.4)))
    return fig


def scatter(
    panels: dict[str, Sequence | np.ndarray], points: np.ndarray, *, width: float = 9.0
) -> Figure:
    """The same points side by side, coloured by different things.

    Parameters
    ----------
    panels : dict
        Title -> (N,) names of groups.
    points : array, (N, 2), or one for each panel
    width : float
        In inches.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Points that are no finite real numbers (N, 2); groups of another number.

    Examples
    --------
    >>> from vizlib import show
    >>> panels = {"animal": ["hen", "hen", "pig"], "cap": ["yes", "no", "no"]}
    >>> fig = show.scatter(panels, [[0, 0], [0, 1], [2, 1]], width=4)
    >>> [axes.get_title() for axes in fig.axes]
    ['animal', 'cap']
    """
    points, counts = as_numbers(points, "points"), {len(groups) for groups in panels.values()}
    if points.ndim not in (2, 3) or points.shape[-1] != 2 or counts != {points.shape[-2]}:
        raise ValueError(
            "Give points (N, 2) and, for each panel, N names of groups, not points "
            f"{points.shape} and {' or '.join(map(str, sorted(counts)))} names."
        )
    points = np.broadcast_to(points, (len(panels), *np.shape(points)[-2:]))
    fig = Figure((width, width / len(panels) + 0.7), dpi=DPI, layout="constrained")
    named = dict(fontsize=8, frameon=False, markerscale=2, handletextpad=0)
    alike = len({tuple(dict.fromkeys(groups)) for groups in panels.values()}) == 1
    for ax, (title, groups), xy in zip(
        np.atleast_1d(fig.subplots(1, len(panels))), panels.items(), points
    ):
        for k, name in enumerate(dict.fromkeys(groups)):
            colour = colormaps["tab10"](k % 10)
            ax.scatter(
                *xy[np.asarray(groups) == name].T, s=6, color=colour, label=name, linewidths=0
            )
        ax.set(xticks=[], yticks=[], title=title, box_aspect=1)
        if not alike:
            ax.legend(
                loc="upper center", bbox_to_anchor=(0.5, 0), ncols=4, columnspacing=0.5, **named
            )
    if alike:
        fig.legend(
            *ax.get_legend_handles_labels(),
            loc="outside lower center",
            ncols=8,
            columnspacing=1,
            **named,
        )
    return fig


def confusions(
    tables: dict[str, np.ndarray], labels: Sequence[str], *, width: float = 9.0
) -> Figure:
    """Confusion matrices side by side, with the counts written in.

    Rows are what it is, columns what the network predicts.

    Parameters
    ----------
    tables : dict
        Title -> (K, K) counts.
    labels : sequence of str
    width : float
        In inches.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import numpy as np
    >>> from vizlib import show
    >>> fig = show.confusions({"by day": np.array([[9, 1], [0, 10]])}, ["hen", "pig"], width=3)
    >>> [count.get_text() for count in fig.axes[0].texts]
    ['9', '1', '10']
    """
    fig = Figure((width, width / len(tables) + 0.2), dpi=DPI, layout="constrained")
    for ax, (title, table) in zip(np.atleast_1d(fig.subplots(1, len(tables))), tables.items()):
        share = table / np.maximum(table.sum(1, keepdims=True), 1)
        ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for (i, j), count in np.ndenumerate(table):
            if count:
                ax.text(
                    j,
                    i,
                    int(count),
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="white" if share[i, j] > 0.5 else "black",
                )
        ax.set(
            xticks=range(len(labels)),
            yticks=range(len(labels)),
            xlabel="the network predicts",
            ylabel="it is",
        )
        ax.set_xticklabels(labels, rotation=45, ha="right", rotation_mode="anchor", fontsize=8)
        ax.set_yticklabels(labels, fontsize=8)
        ax.set_title(title, fontsize=10)
    return fig


def grades(panels: dict[str, tuple[dict, float | None]], *, width: float = 10.0) -> Figure:
    """Values with intervals, one row for each name, one panel for each grade.

    Parameters
    ----------
    panels : dict
        Title -> (rows, chance): rows a dict of name -> (value, low, high), all panels with names of
        the first; chance a number that a thin line marks, or None. Two further numbers of a row,
        the lowest and the highest of several networks, are a pale bar.
    width : float
        In inches.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from vizlib import show
    >>> rows = {"gradient": (1.4, 1.3, 1.5), "Grad-CAM": (2.1, 1.9, 2.2)}
    >>> fig = show.grades({"mass inside": (rows, 1)}, width=4)
    >>> [label.get_text() for label in fig.axes[0].get_yticklabels()]
    ['gradient', 'Grad-CAM']
    """
    names = list(next(iter(panels.values()))[0])
    fig = Figure((width, 0.24 * len(names) + 0.6), dpi=DPI, layout="constrained")
    for ax, (title, (rows, chance)) in zip(
        np.atleast_1d(fig.subplots(1, len(panels), sharey=True)), panels.items()
    ):
        lines = [names.index(name) for name in rows]
        value, low, high, *span = np.array(list(rows.values())).T
        if span:
            ax.hlines(lines, *span, color="C0", alpha=0.25, linewidth=6)
        ax.errorbar(
            value, lines, xerr=(value - low, high - value), fmt="o", markersize=4, linewidth=1.2
        )
        if chance is not None:
            ax.axvline(chance, color="black", linewidth=0.6)
        ax.set_title(title, fontsize=8)
        ax.set(yticks=range(len(names)), ylim=(len(names) - 0.5, -0.5), axisbelow=True)
        ax.set_yticklabels(names, fontsize=8)
        ax.tick_params(axis="x", labelsize=7)
        ax.grid(axis="y", linewidth=0.3)
    return fig


def overview(
    net: Net,
    images: Sequence[np.ndarray],
    targets: Sequence[str | int] | str | int | None = None,
    *,
    others: Sequence[np.ndarray] | None = None,
    width: float = 10.0,
) -> Figure:
    """Images seen in the seven ways of the course, one row for each.

    The strongest unit of the last but one of `net.stages`; the nearest of `others` by
    `net.features`; four patches of them that excite that unit most; and, for the class, occlusion,
    saliency (smoothed), guided backprop and Grad-CAM.

    Parameters
    ----------
    net : Net
    images : sequence of arrays, (H, W, 3), uint8
        Of any size: the middle of each is fitted to the network.
    targets : class names or numbers, one for each image or one for all, optional
        Without them, the class that the network predicts.
    others : sequence of arrays, (H, W, 3), uint8, optional
        What the images are compared with; without them, the course's photographs.
    width : float
        In inches.

    Returns
    -------
    matplotlib.figure.Figure
        To the left of each row stand the class and its probability. A method that refuses the
        network leaves its column empty, and a warning says why.

    Raises
    ------
    ValueError
        A network whose outputs are no probabilities.
    ValueError
        No `Net`, or one no layer of which gives feature maps.
    ValueError
        A class that it does not have.
    ValueError
        Targets of another number than the images.
    ValueError
        No images, or nothing to compare them with.

    Examples
    --------
    >>> import vizlib
    >>> from vizlib import barnyard, show
    >>> net, some = vizlib.load("pocket"), barnyard.load(seeds=0).images
    >>> fig = show.overview(net, some[:1], "hen", others=some[1:])
    >>> fig.axes[0].get_ylabel().split()
    ['hen', '1.00']
    """
    check_stages(net)
    others = _to_compare(net, others)
    images = _fitted(net, images, "images")
    p = both_sides(probabilities(net.model, net.preprocess(images), batch_size=8))
    if targets is None:
        targets = p.argmax(1).tolist()
    if isinstance(targets, str | int | np.integer):
        targets = [targets] * len(p)
    if len(targets) != len(p):
        raise ValueError(f"There are {len(targets)} targets for {len(p)} images: give one each.")
    k = np.array([class_number(net, target) for target in targets])
    columns, ways = [list(images)], _lenses(net, images, k, others)
    with ThreadPoolExecutor(2) as pool:  # one is traced while another computes
        made = {name: pool.submit(way) for name, way in ways.items()}
    for name, column in made.items():
        try:
            columns.append(list(column.result()))
        except ValueError as error:
            warnings.warn(f"No {name} for {net.name}: {error}", stacklevel=2)
            columns.append([None] * len(p))
    return grid(
        [image for row in zip(*columns) for image in row],
        titles=["picture", *ways],
        columns=len(columns),
        rows=[f"{net.labels[c].replace('_', ' ')}\n{q[c]:.2f}" for c, q in zip(k, p)],
        width=width,
    )


def _to_compare(net, others):
    """Images, or the course's photographs, at the size of the network."""
    if others is None:
        others = [
            photos.load(name) for name in photos.names(fetched=False) if name not in photos.SHIPPED
        ]
    return _fitted(net, others, "others")


def _fitted(net, images, name):
    if not len(images):
        raise ValueError(f"{name} is empty: give at least one image.")
    return np.stack([photos.fit(image, net.size) for image in images])


def _lenses(net, images, k, others):
    """Lens -> a function to an image for each of `images`, with the classes k; all of one size."""
    model, x, side = net.model, net.preprocess(images), min(net.size)
    layer = net.stages[-2:][0]  # of VGG's five the fourth
    maps = activations(model, x, layer, batch_size=8)
    units = maps.max((1, 2)).argmax(1)

    def batches():
        return (net.preprocess(others[i : i + 8]) for i in range(0, len(others), 8))

    def nearest():
        _, found = neighbours(features(model, batches()), features(model, x, batch_size=8), 2)
        itself = (others[found[:, 0]] == images).all((1, 2, 3))
        return others[np.where(itself, found[:, 1], found[:, 0])]

    def patches():
        best = crop(others, top_patches(model, batches(), layer, channels=units, k=4))
        return [np.vstack([np.hstack(four[:2]), np.hstack(four[2:])]) for four in best]

    def covered():
        patch = max(2, side // 5)  # so few positions that windows do not pay
        return occlusion(
            model, x, k, patch=patch, stride=patch // 2, incremental=False, batch_size=8
        ).heatmap()

    def guided():
        maps = net.rgb(guided_backprop(model, x, k, batch_size=8))
        return np.rint(255 * signed(maps, share=0.99)).astype("uint8")

    def laid_over(heats):
        return [overlay(image, heat) for image, heat in zip(images, heats)]

    def placed(heats, layer):
        return [_placed(net, image, heat, layer) for image, heat in zip(images, heats)]

    return {
        "activations": lambda: placed(maps[range(len(x)), ..., units], layer),
        "nearest": nearest,
        "best patches": patches,
        "occlusion": lambda: laid_over(covered()),
        "saliency": lambda: laid_over(
            gaussian_filter(saliency(model, x, k, batch_size=8), (0, side / 100, side / 100))
        ),
        "guided backprop": guided,
        "Grad-CAM": lambda: placed(grad_cam(model, x, k, batch_size=8), None),
    }


def _placed(net, image, heat, layer):
    """A map of a layer laid over its image: each value lies where its unit looks."""
    field = field_or_none(net.model, layer, net.size)
    return overlay(image, upsample(heat[None], net.size, field=field)[0])


def enlarge(picture: np.ndarray, side: int) -> np.ndarray:
    """A uint8 image as a square of `side` pixels, each of its pixels a block.

    Examples
    --------
    >>> import numpy as np
    >>> from vizlib import show
    >>> show.enlarge(np.eye(2, dtype="uint8"), 4)[0].tolist()
    [1, 1, 0, 0]
    """
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.NEAREST))


def png(picture: np.ndarray) -> bytes:
    """A uint8 image as PNG bytes: what an image widget takes.

    Examples
    --------
    >>> import numpy as np
    >>> from vizlib import show
    >>> show.png(np.zeros((2, 2, 3), "uint8"))[1:4]
    b'PNG'
    """
    out = io.BytesIO()
    Image.fromarray(picture).save(out, format="PNG")
    return out.getvalue()
