r"""Features and best patches of a folder of photographs, in shards, on Ray Data.

    python docs/scale/features_with_ray.py features photographs/ --out features
    python docs/scale/features_with_ray.py patches photographs/ --out patches.parquet \
        --layer fire9_concat --channels 0 1 2

It needs `pip install -e ".[scale]"`. Ray takes the cores of this machine, or the cluster whose
address stands in RAY_ADDRESS; there the photographs, the model and the output lie where all
machines see them under one path. docs/scale.md says when that is worth it and what it costs.
"""

import argparse
import os
import pickle
import shutil
import sys
from pathlib import Path

import numpy as np

import vizlib
from vizlib import patches, photos

SHARD = 512  # files that a worker takes at a time: their pictures, 79 MB at 227 x 227, are held
BATCH = 32  # of them go through the network together
ONE_CORE = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}  # a worker has no more


# ---- what a worker does; Ray is not needed for it ------------------------------------------------


class FeatureWorker:
    """Loads the network once, and makes a table of each shard that it is given."""

    def __init__(self, folder, model, layer):
        self.folder, self.layer, self.net = folder, layer, vizlib.load(model)

    def __call__(self, shards):
        import pyarrow

        (files,) = shards["files"].to_pylist()
        pictures, wrong = read(self.folder, files, self.net.size)
        vectors = iter(self.vectors(pictures) if len(pictures) else ())
        columns = [
            pyarrow.array(files, pyarrow.string()),
            pyarrow.array([os.path.dirname(file) or None for file in files], pyarrow.string()),
            pyarrow.array(
                [None if file in wrong else next(vectors) for file in files],
                pyarrow.list_(pyarrow.float32()),
            ),
            pyarrow.array([wrong.get(file) for file in files], pyarrow.string()),
        ]
        return pyarrow.table(columns, ["path", "label", "vector", "error"])

    def vectors(self, pictures):
        return vizlib.features(self.net.model, batches(self.net, pictures), self.layer)


class PatchWorker:
    """Loads the network once, and finds the best patches of each shard."""

    def __init__(self, folder, model, layer, channels, k):
        self.folder, self.layer, self.channels, self.k = folder, layer, channels, k
        self.net = vizlib.load(model)

    def __call__(self, shard):
        files = list(shard["files"])
        pictures, wrong = read(self.folder, files, self.net.size)
        found = self.best(pictures) if len(pictures) else None
        names = [file for file in files if file not in wrong]
        return {"shard": shard["shard"], "answer": pickle.dumps((found, names, wrong))}

    def best(self, pictures):
        """Of fewer than k pictures one patch each, which `patches.merge` takes."""
        return vizlib.top_patches(
            self.net.model,
            batches(self.net, pictures),
            self.layer,
            channels=self.channels,
            k=min(self.k, len(pictures)),
        )


def read(folder, files, size):
    """What can be read, (n, height, width, 3), and file -> what is wrong with each of the rest."""
    pictures, wrong = [], {}
    for file in files:
        try:
            pictures.append(photos.fit(photos.load(Path(folder, file)), size))
        except (ValueError, OSError) as error:
            wrong[file] = str(error)
    return np.array(pictures, "uint8").reshape(-1, *size, 3), wrong


def batches(net, pictures):
    """As the network takes them, not all at once."""
    return (net.preprocess(pictures[i : i + BATCH]) for i in range(0, len(pictures), BATCH))


# ---- before the work, and after it ---------------------------------------------------------------


def files_in(folder: str | os.PathLike) -> list[str]:
    """The files of a folder and those below, as paths within it, in the same order everywhere.

    What begins with a dot is not looked at, as in `photos.load_folder`.
    """
    if not os.path.isdir(folder):
        raise ValueError(f"There is no folder {str(folder)!r}.")
    paths = [path.relative_to(folder) for path in Path(folder).rglob("*") if path.is_file()]
    files = sorted(p.as_posix() for p in paths if not any(part[0] == "." for part in p.parts))
    if not files:
        raise ValueError(f"The folder {str(folder)!r} holds no files: give one with photographs.")
    return files


def check(workers, shard):
    for n, what in ((workers, "worker"), (shard, "file in a shard")):
        if n < 1:
            raise ValueError(f"It takes at least one {what}, not {n}.")


def in_shards(files: list[str], size: int) -> list[dict]:
    """Numbered lists of `size` files, each a row of the data that Ray hands out."""
    starts = range(0, len(files), size)
    return [{"shard": i, "files": files[start : start + size]} for i, start in enumerate(starts)]


def join(rows: list[dict], k: int) -> tuple[vizlib.Patches, list[str], dict[str, str]]:
    """The answers of all shards, which come in any order, as one."""
    rows = sorted(rows, key=lambda row: row["shard"])
    found, names, wrong = zip(*(pickle.loads(row["answer"]) for row in rows))
    names = [name for part in names for name in part]
    wrong = {file: why for part in wrong for file, why in part.items()}
    if len(names) < k:
        raise ValueError(f"{k} patches take {k} photographs, and {len(names)} can be read.")
    return patches.merge([part for part in found if part is not None], k=k), names, wrong


# ---- on Ray --------------------------------------------------------------------------------------


def features(
    folder: str | os.PathLike,
    out: str | os.PathLike,
    *,
    model: str = "squeezenet",
    layer: str | None = None,
    workers: int = 2,
    shard: int = SHARD,
) -> dict[str, str]:
    """A vector for each photograph, as Parquet in a new folder `out`.

    It has a row for each file: `path`; `label`, the folder it lies in, null for those directly in
    `folder`; `vector`, null where the file cannot be read; and `error`, which says why. Rows come
    in any order. Returns the files that cannot be read, with what is wrong.
    """
    check(workers, shard)
    out, folder, files = new(out), os.path.abspath(folder), files_in(folder)
    shards, model = in_shards(files, shard), place_of(model)
    worker = FeatureWorker(folder, model, layer)
    worker.vectors(np.zeros((1, *worker.net.size, 3), "uint8"))  # what is wrong is said now
    import pyarrow.compute
    import pyarrow.parquet

    part = out.with_name(f".{out.name}.part")  # never half a folder
    shutil.rmtree(part, ignore_errors=True)
    try:
        on_ray(shards).map_batches(
            FeatureWorker,
            fn_constructor_args=(folder, model, layer),
            batch_size=1,
            batch_format="pyarrow",
            **pool(workers),
        ).write_parquet(str(part), ray_remote_args={"num_cpus": 0})  # the workers have all cores
        bad = pyarrow.parquet.read_table(
            part, columns=["path", "error"], filters=pyarrow.compute.field("error").is_valid()
        ).sort_by("path")
        if len(bad) == len(files):
            raise ValueError(f"No photograph in {folder!r} can be read: {bad['error'][0]}")
        os.replace(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return dict(zip(bad["path"].to_pylist(), bad["error"].to_pylist()))


def best_patches(
    folder: str | os.PathLike,
    *,
    layer: str,
    channels: list[int],
    k: int = 9,
    model: str = "squeezenet",
    workers: int = 2,
    shard: int = SHARD,
) -> tuple[vizlib.Patches, list[str], dict[str, str]]:
    """What `vizlib.top_patches` gives of all photographs in a folder in one pass.

    `names[i]` is the file of image i. Third come the files that cannot be read, with what is wrong.
    """
    check(workers, shard)
    folder, files = os.path.abspath(folder), files_in(folder)
    shards, model = in_shards(files, shard), place_of(model)
    if not 1 <= k <= len(files):
        raise ValueError(f"k is a whole number from 1 to {len(files)}, the number of files.")
    worker = PatchWorker(folder, model, layer, channels, k)
    worker.best(np.zeros((1, *worker.net.size, 3), "uint8"))  # what is wrong is said now
    arguments = (folder, model, layer, channels, k)
    found = on_ray(shards).map(PatchWorker, fn_constructor_args=arguments, **pool(workers))
    return join(found.take_all(), k)


def on_ray(shards):
    """A dataset of Ray's, of one shard a block."""
    import ray

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers need not find it
    return ray.data.from_items(shards, override_num_blocks=len(shards))


def pool(workers):
    """So many processes, each with a core and a network of its own."""
    import ray

    return {
        "compute": ray.data.ActorPoolStrategy(size=workers),
        "num_cpus": 1,
        "runtime_env": {"env_vars": ONE_CORE},
    }


def new(out):
    """The path of something that is not there yet, in a folder that is."""
    out = Path(os.path.abspath(out))
    if out.exists():
        raise ValueError(f"{str(out)!r} exists: give another name for the output, or remove it.")
    out.parent.mkdir(parents=True, exist_ok=True)
    return out


def place_of(model):
    """A file's path from the root, as workers may start elsewhere."""
    return os.path.abspath(model) if os.path.isfile(model) else model


# ---- from the command line -----------------------------------------------------------------------


def main(argv: list[str] | None = None) -> None:
    """Do what the arguments say; what is wrong is said in one sentence."""
    parser = argparse.ArgumentParser(
        prog="features_with_ray.py",
        description="Features or best patches of a folder of photographs, on Ray Data.",
    )
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    one = commands.add_parser("features", help="a vector for each photograph, as Parquet")
    one.add_argument("--layer", help="default: the one below the classifier")
    two = commands.add_parser("patches", help="the patches that excite channels most, as Parquet")
    two.add_argument("--layer", required=True)
    two.add_argument("--channels", type=int, nargs="+", required=True)
    two.add_argument("-k", type=int, default=9, help="patches per channel; default: %(default)s")
    for command, what in ((one, "a new folder"), (two, "a new file")):
        command.add_argument("folder", help="photographs; a folder in it is a label")
        command.add_argument("--out", required=True, help=what)
        command.add_argument("--model", default="squeezenet", help="a name, or a .keras file")
        command.add_argument("--workers", type=int, default=2, help="default: %(default)s")
        command.add_argument(
            "--shard", type=int, default=SHARD, help="files at a time; default: %(default)s"
        )
    options = vars(parser.parse_args(argv))
    try:
        run = {"features": features, "patches": write_patches}[options.pop("command")]
        wrong = run(options.pop("folder"), options.pop("out"), **options)
    except ModuleNotFoundError as error:
        sys.exit(f'{parser.prog}: {error}: pip install -e ".[scale]" brings Ray Data.')
    except (ValueError, OSError) as error:
        sys.exit(f"{parser.prog}: {error}")
    if wrong:
        said = [f"{file}: {why}" for file, why in wrong.items()]
        sys.exit("\n".join([f"{len(said)} files cannot be read:", *said]))


def write_patches(folder, out, **options):
    """A row for each patch: channel, path, value, row and column of the unit, and its box."""
    out = new(out)
    found, names, wrong = best_patches(folder, **options)
    import pyarrow.parquet

    table = {
        "channel": np.repeat(options["channels"], found.value.shape[1]),
        "path": [names[i] for i in found.image.ravel()],
        "value": found.value.ravel(),
        **dict(zip(("row", "column"), found.position.reshape(-1, 2).T)),
        **dict(zip(("top", "left", "bottom", "right"), found.box.reshape(-1, 4).T)),
    }
    part = out.with_name(f".{out.name}.part")
    pyarrow.parquet.write_table(pyarrow.table(table), part)
    os.replace(part, out)
    return wrong


if __name__ == "__main__":
    main()
