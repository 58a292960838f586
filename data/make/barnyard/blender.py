"""NumPy arrays in, Blender objects out; Cycles settings; picture and mask."""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

import bpy
import numpy as np

FINISHES = {  # roughness and specular level of a surface
    "fur": (0.75, 0.25), "feather": (0.55, 0.3), "skin": (0.65, 0.3), "wet": (0.3, 0.5), "gloss": (0.07, 0.7),
    "matte": (0.95, 0.05),
}


def _node(tree, kind, name="", **values):
    """A new node; values by the names of its inputs, spaces written as underscores."""
    node = tree.nodes.new(kind)
    node.name = name or node.name
    for key, value in values.items():
        node.inputs[key.replace("_", " ")].default_value = value
    return node


def start(size, samples, threads):
    """A new scene with camera, sun and sky, for Cycles on the CPU; the mask is a second output.

    Parameters
    ----------
    size : int
        Pixels of a side.
    samples : int
        Paths per pixel.
    threads : int
        Threads that Cycles may use.

    Returns
    -------
    bpy.types.Scene
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.threads_mode, scene.render.threads = "FIXED", threads
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.render.image_settings.file_format, scene.render.image_settings.compression = "PNG", 0
    scene.view_settings.view_transform, scene.view_settings.look = "Filmic", "Medium High Contrast"
    scene.view_layers[0].use_pass_material_index = True
    cycles = scene.cycles
    cycles.samples, cycles.use_adaptive_sampling = samples, False
    cycles.use_denoising, cycles.denoiser, cycles.denoising_quality = True, "OPENIMAGEDENOISE", "BALANCED"
    cycles.denoising_input_passes, cycles.denoising_prefilter = "RGB_ALBEDO_NORMAL", "FAST"
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 2, 1, 1
    cycles.transmission_bounces, cycles.transparent_max_bounces, cycles.sample_clamp_indirect = 0, 2, 4
    cycles.caustics_reflective = cycles.caustics_refractive = False
    scene.cycles_curves.shape, scene.cycles_curves.subdivisions = "RIBBONS", 1

    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    layers, composite = _node(tree, "CompositorNodeRLayers"), _node(tree, "CompositorNodeComposite")
    tree.links.new(layers.outputs["Image"], composite.inputs["Image"])
    out = _node(tree, "CompositorNodeOutputFile", "mask")
    out.format.file_format, out.format.color_mode, out.format.color_depth = "OPEN_EXR", "RGB", "32"
    tree.links.new(layers.outputs["IndexMA"], out.inputs[0])

    scene.camera = _link("camera", bpy.data.cameras.new("camera"))
    _link("sun", bpy.data.lights.new("sun", "SUN"))
    scene.world = bpy.data.worlds.new("world")
    scene.world.use_nodes = True
    scene.world.cycles.sampling_method, scene.world.cycles.sample_map_resolution = "MANUAL", 128
    tree = scene.world.node_tree
    image = _node(tree, "ShaderNodeTexEnvironment", "sky")
    tree.links.new(image.outputs["Color"], tree.nodes["Background"].inputs["Color"])
    _ground_material()
    return scene


def _ground_material():
    """Three colours in noise, larger patches lighter and darker, bumps, and far off one colour."""
    material = bpy.data.materials.new("ground")
    material.use_nodes = True
    tree = material.node_tree
    surface = tree.nodes["Principled BSDF"]
    surface.inputs["Roughness"].default_value, surface.inputs["Specular IOR Level"].default_value = 0.95, 0.1
    where = _node(tree, "ShaderNodeTexCoord")
    coarse = _node(tree, "ShaderNodeTexNoise", "coarse", Detail=6, Roughness=0.65)
    ramp = _node(tree, "ShaderNodeValToRGB", "ramp")
    ramp.color_ramp.elements.new(0.5)
    patch = _node(tree, "ShaderNodeTexNoise", "patch", Detail=3)
    tone = _node(tree, "ShaderNodeMapRange", From_Min=0.3, From_Max=0.7, To_Min=0.72, To_Max=1.2)
    patched = _node(tree, "ShaderNodeVectorMath")
    patched.operation = "SCALE"
    bump = _node(tree, "ShaderNodeBump", "bump")
    eye = _node(tree, "ShaderNodeCameraData")
    fade = _node(tree, "ShaderNodeMapRange", "fade")
    far = _node(tree, "ShaderNodeRGB", "far")
    mix = _node(tree, "ShaderNodeMixRGB")
    for a, output, b, name in (
        (where, "Object", coarse, "Vector"), (coarse, "Fac", ramp, "Fac"), (where, "Object", patch, "Vector"),
        (patch, "Fac", tone, "Value"), (eye, "View Distance", fade, "Value"), (fade, "Result", mix, "Fac"),
        (ramp, "Color", mix, "Color1"), (far, "Color", mix, "Color2"), (mix, "Color", patched, 0),
        (tone, "Result", patched, "Scale"), (patched, "Vector", surface, "Base Color"),
        (coarse, "Fac", bump, "Height"), (bump, "Normal", surface, "Normal"),
    ):
        tree.links.new(a.outputs[output], b.inputs[name])


def material(finish="matte", number=0):
    """A material with the colours of its mesh; the mask shows `number`, a part or 0, the surroundings."""
    name = f"{finish} {number}"
    if name in bpy.data.materials:
        return bpy.data.materials[name]
    made = bpy.data.materials.new(name)
    made.pass_index = number
    made.use_nodes = True
    tree = made.node_tree
    surface = tree.nodes["Principled BSDF"]
    for key, value in zip(("Roughness", "Specular IOR Level"), FINISHES[finish]):
        surface.inputs[key].default_value = value

    def read(attribute, output, name):
        node = _node(tree, "ShaderNodeAttribute")
        node.attribute_name = attribute
        tree.links.new(node.outputs[output], surface.inputs[name])

    read("Col", "Color", "Base Color")
    if finish in ("fur", "feather"):
        read("N", "Vector", "Normal")
    return made


def _link(name, data):
    made = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(made)
    return made


def _array(values, dtype=np.float32):
    return np.ascontiguousarray(values, dtype).ravel()


def _attribute(data, name, kind, domain, field, values):
    made = data.attributes.get(name) or data.attributes.new(name, kind, domain)
    made.data.foreach_set(field, _array(values))


def _rgba(colours):
    return np.concatenate([colours, np.ones((*np.shape(colours)[:-1], 1))], -1)


def mesh(name, V, Q, colours, materials=None, slots=None, shading=None, smooth=True):
    """An object of vertices V (n, 3) and triangles or quads Q (m, 3 or 4).

    Parameters
    ----------
    colours : ndarray, (n, 3) or (3,)
        Linear RGB.
    materials, slots : list and ndarray (m,), optional
        Materials, and which of them each face has; default: matte, of the surroundings.
    shading : ndarray, (n, 3), optional
        Normals to shade by, for fur and feathers.
    """
    data = bpy.data.meshes.new(name)
    data.vertices.add(len(V))
    data.vertices.foreach_set("co", _array(V))
    data.loops.add(Q.size)
    data.loops.foreach_set("vertex_index", _array(Q, np.int32))
    data.polygons.add(len(Q))
    data.polygons.foreach_set("loop_start", np.arange(0, Q.size, Q.shape[1], dtype=np.int32))
    if slots is not None:
        data.polygons.foreach_set("material_index", _array(slots, np.int32))
    data.polygons.foreach_set("use_smooth", np.full(len(Q), smooth))
    colours = np.broadcast_to(np.clip(colours, 0, 1), (len(V), 3))
    _attribute(data, "Col", "FLOAT_COLOR", "POINT", "color", _rgba(colours))
    if shading is not None:
        _attribute(data, "N", "FLOAT_VECTOR", "POINT", "vector", shading)
    data.update(calc_edges=True)
    for m in materials or [material()]:
        data.materials.append(m)
    return _link(name, data)


def hair(name, P, radius, colours, shading, finish, shadow=False):
    """Strands P (n, points, 3) of radius (n,) at the root; each with a colour and a normal to shade by."""
    n, points, _ = P.shape
    data = bpy.data.hair_curves.new(name)
    data.add_curves([points] * n)
    data.position_data.foreach_set("vector", _array(P))
    _attribute(data, "radius", "FLOAT", "POINT", "value", radius[:, None] * np.linspace(1, 0.25, points))
    _attribute(data, "Col", "FLOAT_COLOR", "CURVE", "color", _rgba(np.clip(colours, 0, 1)))
    _attribute(data, "N", "FLOAT_VECTOR", "CURVE", "vector", shading)
    data.materials.append(finish)
    made = _link(name, data)
    made.visible_shadow = made.visible_diffuse = made.visible_glossy = shadow


def sky(picture):
    """The sky and what lies beyond the ground: a panorama (H, W, 3), linear RGB, bottom row first."""
    image = bpy.data.images.new("sky", picture.shape[1], picture.shape[0], float_buffer=True)
    image.colorspace_settings.name = "Linear Rec.709"
    image.pixels.foreach_set(_array(_rgba(picture)))
    image.update()
    bpy.context.scene.world.node_tree.nodes["sky"].image = image


@contextlib.contextmanager
def _silence():
    """Blender writes its progress to the process's standard output; send it nowhere."""
    sys.stdout.flush()
    kept = os.dup(1)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def render(seed):
    """Render the scene.

    Parameters
    ----------
    seed : int
        Of the paths' noise.

    Returns
    -------
    picture : ndarray, (size, size, 3), uint8
    mask : ndarray, (size, size), uint8
        The number of the material seen in each pixel.
    """
    scene = bpy.context.scene
    scene.cycles.seed = seed
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = str(Path(folder, "picture.png"))
        scene.node_tree.nodes["mask"].base_path = folder
        with _silence():
            bpy.ops.render.render(write_still=True)
        picture, mask = (_read(next(Path(folder).glob(kind))) for kind in ("*.png", "*.exr"))
    return (picture * 255 + 0.5).astype(np.uint8), (mask[..., 0] + 0.5).astype(np.uint8)


def _read(file):
    """The values of a picture file (H, W, 3), float32, top row first."""
    image = bpy.data.images.load(str(file))
    image.colorspace_settings.name = "Non-Color"
    values = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(values)
    width, height = image.size
    return values.reshape(height, width, 4)[::-1, :, :3]
