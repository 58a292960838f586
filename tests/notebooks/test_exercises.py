"""Every exercise of every lesson: the stub, wrong answers and the solution get their sentence."""

import re

import nbformat
import pytest
from answers import WRONG
from lessons import LESSONS, code, kernel, number_of, printed, read, solution, tagged

pytestmark = pytest.mark.slow
# Exercise 4.3 measures: by the work of this process, whatever else the machine does meanwhile.
CLOCK = "import time\n\ntime.perf_counter = time.process_time"


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_exercises(path):
    book, seen = read(path), []
    lesson = number_of(book)
    book.cells.insert(0, nbformat.v4.new_code_cell(CLOCK))
    stubs = {i: cell.source for i, cell in enumerate(book.cells) if tagged(cell, "exercise")}
    with kernel(book, path) as client:
        for i, cell in enumerate(book.cells):
            client.execute_cell(cell, i)
            if i not in stubs:
                continue
            check = book.cells[i + 1]
            number = re.search(r'"(B?\d\.\d)"', check.source)[1]
            seen.append(number)
            assert WRONG[number]
            for answer, says in [
                *WRONG[number],
                (stubs[i], "not answered yet"),
                (solution(book.cells[i + 2]), "right"),
            ]:
                cell.source = answer
                client.execute_cell(cell, i)
                client.execute_cell(check, i + 1)
                assert re.fullmatch(
                    rf"Exercise {number}: .*\.\n", printed(check)
                ) and says in printed(check), (
                    answer,
                    printed(check),
                )
                assert says == "right" or not printed(check).endswith(": right.\n")
    assert sorted(seen) == sorted(n for n in WRONG if n.split(".")[0] == lesson)
    assert all(not [o for o in cell.outputs if o.output_type == "error"] for cell in code(book))
