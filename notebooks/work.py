"""The learner's copies of the lessons, in work/: what is written there stays.

    python notebooks/work.py lab         lays out what is missing, then starts JupyterLab on it
    python notebooks/work.py update      takes new versions of the lessons, and keeps the answers
    python notebooks/work.py reset 03    puts one lesson back

No lesson is ever overwritten: the old one stays beside the new one as `.bak.ipynb`. The version a
copy was made from lies in work/.original, so that what the learner changed can be told.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat

HERE = Path(__file__).parent
WORK = HERE.parent / "work"
LESSON = '''"""What the lessons share is in notebooks/lesson.py; this finds it from here."""

import importlib.util
import sys
from pathlib import Path

path = Path(__file__).resolve().parents[1] / "notebooks/lesson.py"
spec = importlib.util.spec_from_file_location("lesson", path)
sys.modules["lesson"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
'''


def lessons():
    """Where the start page and the lessons lie, relative to notebooks/ and to work/ alike."""
    found = sorted(HERE.glob("*.ipynb")) + sorted(HERE.glob("beyond/*.ipynb"))
    return [path.relative_to(HERE) for path in found]


def put(name):
    """Copy a lesson into work/, and keep beside it which version it was."""
    for folder in (WORK / ".original", WORK):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        part = (folder / name).with_suffix(".part")
        shutil.copyfile(HERE / name, part)
        os.replace(part, folder / name)


def lay_out():
    """Put into work/ what is not there yet."""
    for name in lessons():
        if not (WORK / name).exists():
            put(name)
    if not (WORK / "lesson.py").exists():
        (WORK / "lesson.py").write_text(LESSON, encoding="utf-8")


def outdated():
    """The lessons of which notebooks/ has another version than the one that was copied."""
    kept = WORK / ".original"
    return [
        name
        for name in lessons()
        if (WORK / name).exists()
        and not ((kept / name).exists() and sources(kept / name) == sources(HERE / name))
    ]


def sources(path):
    """What a reader can change of a notebook; running it changes none of this."""
    return [(cell.cell_type, cell.source) for cell in nbformat.read(path, as_version=4).cells]


def set_aside(name):
    """Rename the learner's copy to one that is free: 03_maximal_patches.bak.ipynb, bak2, ..."""
    old, count = WORK / name, 1
    while (aside := old.with_suffix(f".bak{count if count > 1 else ''}.ipynb")).exists():
        count += 1
    os.replace(old, aside)
    return aside


def answers(book):
    """Number of an exercise -> where its cells are: from the one tagged so to before its check."""
    found, start = {}, None
    for k, cell in enumerate(book.cells):
        if "exercise" in cell.metadata.get("tags", []):
            start = k
        check = re.match(r'lesson\.check\(\s*"([^"]+)"', cell.source)
        if check and start is not None:
            found[check[1]], start = slice(start, k), None
    return found


def reset(name):
    """The lesson as the course has it, in place of the learner's, which is set aside."""
    aside = set_aside(name) if (WORK / name).exists() else None
    put(name)
    return aside


def update(name):
    """The course's version with the learner's answers in it; the old copy, where it was changed."""
    base = WORK / ".original" / name
    base = nbformat.read(base if base.exists() else HERE / name, as_version=4)
    mine = nbformat.read(WORK / name, as_version=4)
    if [(c.cell_type, c.source) for c in base.cells] == sources(WORK / name):
        put(name)
        return None
    new, before, now = nbformat.read(HERE / name, as_version=4), answers(base), answers(mine)
    for number, cells in reversed(answers(new).items()):  # from below: places above stay
        if number in now:
            answer = mine.cells[now[number]]
            stub = base.cells[before[number]] if number in before else []
            if [c.source for c in answer] != [c.source for c in stub]:
                for k, cell in enumerate(answer):  # another cell may have its old name now
                    cell.id = f"answer-{number.replace('.', '-')}-{k}"
                new.cells[cells] = answer
    aside = reset(name)
    nbformat.write(new, WORK / name)
    return aside


def serve(*arguments):
    """JupyterLab on work/; prints the address that opens it, token included."""
    from jupyter_server.serverapp import list_running_servers

    def running():
        return {known["pid"]: known for known in list_running_servers()}

    command = [sys.executable, "-m", "jupyter", "lab", f"--notebook-dir={WORK}", "--log-level=WARN"]
    command += [f"--ContentsManager.hide_globs={glob}" for glob in ("lesson.py", "__pycache__")]
    others, told = running(), False
    server = subprocess.Popen([*command, str(WORK / "index.ipynb"), *arguments])
    while server.poll() is None:
        try:
            time.sleep(0.5)
            for pid, known in [] if told else running().items():
                if pid not in others and known["root_dir"] == str(WORK):
                    start = f"{known['url']}lab/tree/index.ipynb?token={known['token']}"
                    print(f"JupyterLab is at {start}\nCtrl+C and y end it.", flush=True)
                    told = True
        except KeyboardInterrupt:  # JupyterLab got it too, and asks
            continue
    return server.returncode


def main(command="", *arguments):
    if command == "lab":
        lay_out()
        if outdated():
            print("The course has newer lessons: `work.py update` takes them, your answers stay.")
        raise SystemExit(serve(*arguments))
    if command == "update" and not arguments:
        lay_out()
        for name in outdated():
            try:
                aside = update(name)
            except ValueError:
                print(f"work/{name} is no notebook any more and stays: `reset` puts it back.")
                continue
            kept = f"; your answers are in it, all you had is in {aside.name}" if aside else ""
            print(f"work/{name} is the new version{kept}.")
        return
    named = [name for name in lessons() if arguments and name.stem.startswith(arguments[0])]
    if command == "reset" and len(arguments) == 1 and len(named) == 1:
        aside = reset(named[0])
        kept = f"; yours is in {aside.name}" if aside else ""
        return print(f"work/{named[0]} is as the course has it{kept}.")
    stems = ", ".join(re.sub(r"^(\d\d)_.*", r"\1", name.stem) for name in lessons())
    raise SystemExit(f"Say lab, update, or reset and one of {stems}: `make reset LESSON=03`.")


if __name__ == "__main__":
    main(*sys.argv[1:])
