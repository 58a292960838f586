"""Barnyard: rendered farm animals with an exact mask for every part; `scene.render` makes one picture."""
