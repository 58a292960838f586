"""Copy the committed splits of a rendered Barnyard into data/barnyard, with each file's SHA-256.

python data/make/index.py --data build/barnyard --out data/barnyard
"""

import argparse
import csv
import hashlib
import shutil
from pathlib import Path

SPLITS = ("gallery", "gallery_capped", "pairs")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the rendered set")
    parser.add_argument("--out", type=Path, required=True)
    a = parser.parse_args()
    with open(a.data / "index.csv", newline="") as f:
        rows = sorted(
            (r for r in csv.DictReader(f) if r["split"] in SPLITS), key=lambda r: r["file"]
        )
    for row in rows:
        mask = Path("masks", row["file"]).with_suffix(".png").as_posix()
        for file, column in ((row["file"], "sha256"), (mask, "mask_sha256")):
            (a.out / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(a.data / file, a.out / file)
            row[column] = sha256(a.out / file)
    shutil.copyfile(a.data / "parts.json", a.out / "parts.json")
    with open(a.out / "index.csv", "w", newline="") as f:
        writer = csv.DictWriter(f, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    sums = (f"{sha256(a.out / name)}  {name}\n" for name in ("index.csv", "parts.json"))
    (a.out / "SHA256SUMS").write_text("".join(sums))


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
