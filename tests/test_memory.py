"""Nothing stays of a model that is gone: not it, not its variables, not what was traced of it."""

import json
import subprocess
import sys
from pathlib import Path


def test_models_are_freed():
    """In a process of its own, against models that only Keras used.

    One model's traces take 27 MB, so a leak of them would be far above the bound; what the
    allocator keeps at first is some 4 MB a model.
    """
    script = Path(__file__).with_name("memory.py")
    run = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    report = json.loads(run.stdout)
    assert report["unused"] == [], "give tests/memory.py a use of these"
    keras, vizlib = report["bare"], report["all_of_vizlib"]
    assert vizlib["made"]["traces"] >= 3 * 10  # the references are of something
    assert not any(vizlib["alive"].values()), vizlib
    assert vizlib["megabytes"] < keras["megabytes"] + 10, report
