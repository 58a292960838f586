"""A fresh run of each lesson gives the golden numbers and its figures, none blank."""

import numpy as np
import pytest
from golden import GOLDEN, record
from lessons import LESSONS, code, figures, read

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_golden(path, tmp_path):
    committed = list(figures(read(path)))
    book, file = record(path, tmp_path)
    fresh = list(figures(book))
    assert not [
        o.text for cell in code(book) for o in cell.outputs if o.get("name") == "stderr"
    ]  # a warning, which nbval cannot see
    for (_, new, _, _), (_, old, _, alt) in zip(fresh, committed, strict=True):
        assert new.shape == old.shape and new.std() > 5, alt
        if path.stem == "gradient_ascent":  # rounding grows with each step of ascent
            continue
        assert np.abs(new.astype(float) - old).mean() < 4, (
            alt
        )  # grey levels: JPEG and another processor, not another picture
    with np.load(GOLDEN / file.name) as golden, np.load(file) as now:
        assert set(now) == set(golden) and set(golden)
        for name in golden:
            if np.issubdtype(golden[name].dtype, np.floating):
                np.testing.assert_allclose(
                    now[name],
                    golden[name],
                    rtol=1e-3,
                    atol=1e-3 * np.abs(golden[name]).max(),
                    err_msg=name,
                )
            else:
                np.testing.assert_array_equal(now[name], golden[name], err_msg=name)
