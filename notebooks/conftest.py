"""nbval compares all but pictures (which it never does) and what TensorFlow writes to stderr."""


def pytest_collectstart(collector):
    if collector.path.suffix == ".ipynb":
        collector.skip_compare += ("stderr",)
