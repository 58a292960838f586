"""Render stages.jpg: one scene as bodies, coats, with surroundings, as mask, and with a cap."""

import colorsys
from pathlib import Path

import bpy
import numpy as np
from barnyard import blender, scene
from PIL import Image

CLASSES, SEED = ["labrador", "tabby"], 5
QUALITY = {"size": 380, "samples": 96, "threads": 2}
ANIMAL = {"body", "piece", "fur", "whiskers", "feathers"}


def shown(names, clay):
    """The scene with only the objects of these names, before grey; those in `clay` in grey too."""
    scene.compose(CLASSES, SEED, **QUALITY)
    plain = blender.material()
    background = bpy.context.scene.world.node_tree.nodes["Background"]
    bpy.context.scene.world.node_tree.links.remove(background.inputs["Color"].links[0])
    background.inputs["Color"].default_value = (0.45, 0.5, 0.55, 1)
    for thing in bpy.context.scene.objects:
        name = thing.name.split(".")[0]
        thing.hide_render = thing.type in ("MESH", "CURVES") and name not in names
        if name in clay:
            thing.data.attributes["Col"].data.foreach_set(
                "color", np.full(4 * len(thing.data.vertices), 0.5)
            )
            thing.data.materials.clear()
            thing.data.materials.append(plain)
    return blender.render(SEED)[0]


def main():
    bodies = shown({"body", "ground"}, {"body", "ground"})
    coats = shown(ANIMAL | {"ground"}, {"ground"})
    picture, mask, parts = scene.render(CLASSES, SEED, **QUALITY)
    hues = [colorsys.hsv_to_rgb((i * 0.382) % 1, 0.65, 0.95) for i in range(sum(map(len, parts)))]
    colours = (np.array([(0.12, 0.12, 0.13), *hues]) * 255).astype(np.uint8)
    twin = scene.render(CLASSES, SEED, ["blue", None], **QUALITY)[0]
    strip = np.concatenate([bodies, coats, picture, colours[mask], twin], 1)
    Image.fromarray(strip).save(Path(__file__).with_suffix(".jpg"), quality=88)


if __name__ == "__main__":
    main()
