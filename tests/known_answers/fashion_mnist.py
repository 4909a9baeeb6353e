#!/usr/bin/env python3
"""Fashion-MNIST as WebDataset shards: NNNNN_CLASS.png beside NNNNN_CLASS.cls, in OUT/train and OUT/test; and the first 5,000 of each, which
peer.py judges by, in OUT/bank and OUT/held_out.

  fashion_mnist.py OUT      from Debian's package dataset-fashion-mnist (MIT licence); needs Pillow
"""
import gzip
import io
import pathlib
import struct
import sys
import tarfile

from PIL import Image

SOURCE = pathlib.Path("/usr/share/datasets/fashion-mnist")
CLASSES = ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"]
SHARD = 10000
JUDGED = 5000


def read_idx(path):
    """Header values, then the bytes behind them."""
    with gzip.open(path) as file:
        magic = struct.unpack(">I", file.read(4))[0]
        shape = struct.unpack(f">{magic & 0xff}I", file.read(4 * (magic & 0xff)))
        return shape, file.read()


def add(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def write_split(prefix, folder, most=None):
    (count, rows, cols), pixels = read_idx(SOURCE / f"{prefix}-images-idx3-ubyte.gz")
    _, labels = read_idx(SOURCE / f"{prefix}-labels-idx1-ubyte.gz")
    count = min(count, most or count)
    folder.mkdir(parents=True, exist_ok=True)
    for begin in range(0, count, SHARD):
        with tarfile.open(folder / f"{begin // SHARD:03}.tar", "w") as tar:
            for i in range(begin, min(begin + SHARD, count)):
                image = Image.frombytes("L", (cols, rows), pixels[i * rows * cols:(i + 1) * rows * cols])
                png = io.BytesIO()
                image.save(png, "PNG")
                key = f"{i:05}_{CLASSES[labels[i]]}"
                add(tar, key + ".png", png.getvalue())
                add(tar, key + ".cls", str(labels[i]).encode())


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if not SOURCE.is_dir():
        sys.exit(f"{SOURCE} is missing: apt-get install dataset-fashion-mnist")
    out = pathlib.Path(sys.argv[1])
    write_split("train", out / "train")
    write_split("t10k", out / "test")
    write_split("train", out / "bank", JUDGED)
    write_split("t10k", out / "held_out", JUDGED)


if __name__ == "__main__":
    main()
