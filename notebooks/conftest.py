"""nbval compares everything but what TensorFlow's C++ side may write to stderr, and pictures (which it never does)."""


def pytest_collectstart(collector):
    if collector.path.suffix == ".ipynb":
        collector.skip_compare += ("stderr",)
