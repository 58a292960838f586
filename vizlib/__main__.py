"""The course's lenses from the command line: `python -m vizlib --help`."""

import argparse
import os
import sys
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from . import grad_cam, photos, show
from .models import Net, load

EXAMPLES = """examples:
  python -m vizlib overview cat.jpg
  python -m vizlib overview a.jpg b.jpg --model mine.keras --labels labels.txt --out lenses.png
  python -m vizlib grad-cam photographs/ --out maps/ --target "tabby cat"

Nothing is sent anywhere; only --model vgg16 and its like fetch their weights, once.
"""


def main(argv: list[str] | None = None) -> None:
    """Do what the arguments say; what is wrong is said in one sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m vizlib",
        description="See what a convolutional network looks at in your photographs.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    one = commands.add_parser("overview", help="photographs through all seven lenses, one picture")
    one.add_argument("pictures", nargs="+", type=Path, help="image files, or folders of them")
    one.add_argument("--out", type=Path, default=Path("lenses.png"), help="default: %(default)s")
    one.set_defaults(run=overview)
    many = commands.add_parser("grad-cam", help="Grad-CAM laid over every photograph of a folder")
    many.add_argument("folder", type=Path, help="image files; what is done is not done again")
    many.add_argument("--out", type=Path, default=Path("maps"), help="folder; default: %(default)s")
    many.set_defaults(run=grad_cams)
    for command in (one, many):
        command.add_argument(
            "--model",
            default="squeezenet",
            help="a .keras file of yours, squeezenet (default), or a name of keras.applications",
        )
        command.add_argument("--labels", type=Path, help="of a .keras file: one class name a line")
        command.add_argument("--target", help="a class name; default: the class that is predicted")
    options = parser.parse_args(argv)
    try:
        options.run(network(options.model, options.labels), options)
    except (ValueError, OSError) as error:
        sys.exit(f"{parser.prog}: {error}")


def network(name: str, labels: Path | None) -> Net:
    """The network of a name or file, with the class names of a text file."""
    net = load(name)
    if labels is None:
        return net
    if not os.path.isfile(name):
        raise ValueError(f"{name} has class names of its own: --labels go with a .keras file.")
    lines = [line.strip() for line in labels.read_text(encoding="utf-8").splitlines()]
    return Net.of(net.model, labels=[line for line in lines if line], size=net.size)


def overview(net: Net, options: argparse.Namespace) -> None:
    """One picture of all lenses."""
    images = []
    for path in options.pictures:
        images += (
            list(photos.load_folder(path, net.size)[0]) if path.is_dir() else [photos.load(path)]
        )
    fig = show.overview(net, images, options.target)
    part = options.out.with_name(f".{options.out.name}.part")  # never half a file
    fig.savefig(part, format="png", facecolor="white")
    os.replace(part, options.out)
    print(options.out)


def grad_cams(net: Net, options: argparse.Namespace) -> None:
    """A map for each file of a folder."""
    target = None if options.target is None else net.index(options.target)
    paths = sorted(path for path in options.folder.iterdir() if path.is_file())
    options.out.mkdir(parents=True, exist_ok=True)
    made, how = options.out / ".made", f"{options.model}, {options.labels}, {options.target}"
    if made.exists() and made.read_text("utf-8") != how:
        raise ValueError(f"{options.out} has maps of another model or target: give another --out.")
    made.write_text(how, "utf-8")
    wrong = []
    for path in tqdm(paths):
        done = options.out / f"{path.name}.png"
        if done.exists():
            continue
        try:
            image = photos.fit(photos.load(path), net.size)
        except ValueError as error:
            wrong.append(str(error))
            continue
        x = net.preprocess(image[None])
        part = options.out / f".{path.name}.part"
        (heat,) = grad_cam(net.model, x, target)
        Image.fromarray(show._placed(net, image, heat, None)).save(part, format="PNG")
        os.replace(part, done)
    if wrong:
        sys.exit("\n".join(["No map for these files:", *wrong]))


if __name__ == "__main__":
    main()
