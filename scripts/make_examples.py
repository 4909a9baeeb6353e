#!/usr/bin/env python3
"""Makes examples/clothing from the clothing data set: WebDataset tar shards, the same bytes on every run.

  make_examples.py SOURCE DEST [--megabytes=15]

SOURCE holds train/ and validation/ with one folder of JPEGs per class, and LICENSE. All validation photos are taken; of the training
photos as many as fit, each class in its natural proportion. A member is NNNNN_class.jpg beside NNNNN_class.cls, the class's index in the
sorted class names. Numbers are in the order of the SHA-256 of the photo's path, so that any run of shards mixes the classes.
"""
import hashlib
import io
import pathlib
import shutil
import sys
import tarfile

SHARD_PHOTOS = 350
BLOCK = 512


def by_hash(paths, root):
    return sorted(paths, key=lambda p: hashlib.sha256(str(p.relative_to(root)).encode()).hexdigest())


def tar_bytes(path):
    """What a photo and its label take in a tar: a header each, contents in whole blocks."""
    return 3 * BLOCK + -(-path.stat().st_size // BLOCK) * BLOCK


def natural_subset(photos, root, budget):
    """The largest share of every class that fits into `budget` bytes, the first in hash order of each."""
    classes = {}
    for path in by_hash(photos, root):
        classes.setdefault(path.parent.name, []).append(path)
    for permille in range(1000, 0, -1):
        chosen = [p for group in classes.values() for p in group[: len(group) * permille // 1000]]
        if sum(map(tar_bytes, chosen)) <= budget:
            return chosen
    raise SystemExit("make_examples: not even one photo in a thousand fits the budget")


def add(tar, name, content):
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(content), 0o644, 0
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    tar.addfile(member, io.BytesIO(content))


def write_shards(photos, root, class_names, folder):
    folder.mkdir(parents=True)
    photos = by_hash(photos, root)
    for shard, first in enumerate(range(0, len(photos), SHARD_PHOTOS)):
        with tarfile.open(folder / f"clothing-{shard:03d}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
            for number, path in enumerate(photos[first:first + SHARD_PHOTOS], first):
                key = f"{number:05d}_{path.parent.name}"
                add(tar, key + ".jpg", path.read_bytes())
                add(tar, key + ".cls", str(class_names.index(path.parent.name)).encode())
    return len(photos)


def main():
    arguments = [a for a in sys.argv[1:] if not a.startswith("--megabytes=")]
    budget = next((float(a.split("=")[1]) for a in sys.argv[1:] if a.startswith("--megabytes=")), 15) * 1e6
    if len(arguments) != 2:
        raise SystemExit(__doc__)
    source, dest = map(pathlib.Path, arguments)
    photos = {split: list((source / split).glob("*/*.jpg")) for split in ("train", "validation")}
    if not all(photos.values()):
        raise SystemExit(f"make_examples: no class folders with JPEGs below {source}/train and {source}/validation")
    class_names = sorted({path.parent.name for path in photos["train"]})
    shards_end = 10 * 10240  # each shard ends with empty blocks
    left = budget - sum(map(tar_bytes, photos["validation"])) - shards_end
    photos["train"] = natural_subset(photos["train"], source, left)
    for split, chosen in photos.items():
        shutil.rmtree(dest / split, ignore_errors=True)
        count = write_shards(chosen, source, class_names, dest / split)
        size = sum(p.stat().st_size for p in (dest / split).glob("*.tar"))
        print(f"{split}: {count} photos, {size} bytes")
    shutil.copyfile(source / "LICENSE", dest / "LICENSE")


if __name__ == "__main__":
    main()
