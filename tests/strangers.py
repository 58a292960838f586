"""Values that people give in place of arrays."""


class TensorElsewhere:
    """As a tensor of another library: NumPy asks for its values, and gets that library's error."""

    shape, ndim = (1, 4, 4), 3

    def __array__(self, *args, **kwargs):
        raise RuntimeError("Can't call numpy() on a tensor that requires grad.")
