"""Write the golden numbers of all lessons (`make golden`): only when new results are meant."""

from pathlib import Path

from lessons import LESSONS, read, run

GOLDEN = Path(__file__).parent / "golden"

if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for path in LESSONS:
        run(read(path), path, VIZLIB_RECORD=str(GOLDEN))
        print(path.name)
