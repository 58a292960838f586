"""Every public function has hints that can be read and an example that runs as it stands."""

import doctest
import importlib
import inspect
import pkgutil
import typing

import pytest

import vizlib

# Internal: methods and tests call them, users do not.
INTERNAL = ("engine", "incremental", "keras_internals")


def modules():
    found = [m.name for m in pkgutil.walk_packages(vizlib.__path__, "vizlib.")]
    inside = [name for name in found if not set(name.split(".")[1:]) & set(INTERNAL)]
    return [importlib.import_module(name) for name in inside if "._" not in name]


def functions():
    """Name -> every function that is defined in a module and does not begin with an underscore."""
    return {
        f"{module.__name__.removeprefix('vizlib.')}.{name}": function
        for module in modules()
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and not name.startswith("_")
    } | {f"engine.{name}": getattr(vizlib, name) for name in ("logits", "probabilities")}


FUNCTIONS = functions()


def test_all_that_vizlib_exports_is_looked_at():
    exported = {getattr(vizlib, name) for name in vizlib.__all__}
    assert {f for f in exported if inspect.isfunction(f)} <= set(FUNCTIONS.values())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_has_an_example(name):
    found = doctest.DocTestFinder(recurse=False).find(FUNCTIONS[name], name)
    has_one = any(test.examples for test in found)
    assert has_one, "write an Examples section that runs"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_has_type_hints(name):
    function = FUNCTIONS[name]
    known = typing.get_type_hints(function)  # raises where a hint names what is not there
    missing = {*inspect.signature(function).parameters, "return"} - set(known) - {"model", "net"}
    assert not missing, f"{name} says nothing of {', '.join(sorted(missing))}"


@pytest.mark.parametrize("module", modules() + [vizlib.engine], ids=lambda m: m.__name__)
def test_examples_run(module):
    """Those of functions, classes and their methods; each brings its own imports."""
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    runner, said = doctest.DocTestRunner(optionflags=options), []
    for test in doctest.DocTestFinder().find(module, globs={}):
        runner.run(test, out=said.append)
    assert runner.failures == 0, "".join(said)
