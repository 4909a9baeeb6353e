#!/usr/bin/env python3
"""Makes the images of this folder, and beside NAME.EXT its pixels as Pillow reads them in RGB, NAME.EXT.rgb.png.

  make_testdata.py PHOTO.jpg      with Pillow and NumPy; PHOTO is one of the CC0 photos of examples/clothing
"""
import pathlib
import shutil
import sys

import numpy as np
from PIL import Image

HERE = pathlib.Path(__file__).parent
rows, cols = np.mgrid[0:16, 0:24]
rgb = np.stack([cols * 10, rows * 15, (rows * cols) % 256], -1).astype(np.uint8)
grey = (rows * 10 + cols * 4).astype(np.uint8)
alpha = (cols * 10).astype(np.uint8)


def save(image, name, pixels=None, **options):
    image.save(HERE / name, **options)
    if pixels is None:
        pixels = Image.open(HERE / name).convert("RGB")
    pixels.save(HERE / (name + ".rgb.png"))


def png_with_16_bits(samples, name, colour_type):
    """Pillow writes no 16-bit RGB, so this does."""
    import struct
    import zlib
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    height, width = samples.shape[:2]
    body = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    (HERE / name).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0))
                              + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b""))


def main():
    image = Image.fromarray(rgb)
    save(Image.fromarray(grey), "grey.png")
    save(Image.fromarray(grey), "grey.jpg", quality=90)
    save(Image.fromarray(grey > 90), "one_bit.png")
    save(image.quantize(32), "palette.png")
    save(Image.fromarray(np.dstack([rgb, alpha])), "alpha.png")
    save(Image.fromarray(np.dstack([grey, alpha]), "LA"), "grey_alpha.png")
    save(image.convert("CMYK"), "cmyk.jpg", quality=95)
    save(image, "lossy.webp", quality=90)
    save(image, "lossless.webp", lossless=True)
    image.save(HERE / "animated.webp", save_all=True, append_images=[image.rotate(180)], duration=50)
    # Low bytes that differ from the high ones show which of the two is kept.
    png_with_16_bits(rgb.astype(np.uint16) * 256 + 77, "rgb16.png", 2)
    image.save(HERE / "rgb16.png.rgb.png")
    png_with_16_bits(grey.astype(np.uint16)[..., None] * 256 + 200, "grey16.png", 0)
    Image.fromarray(grey).convert("RGB").save(HERE / "grey16.png.rgb.png")
    save(Image.new("RGB", (1, 1), (10, 200, 90)), "one_pixel.png")
    Image.fromarray((np.arange(10000 * 3) % 251).astype(np.uint8).reshape(1, 10000, 3)).save(HERE / "wide.png")

    shutil.copyfile(sys.argv[1], HERE / "photo.jpg")
    photo = Image.open(HERE / "photo.jpg").convert("RGB")
    photo.save(HERE / "photo.jpg.rgb.png")
    left, top, width, height = 17, 29, 101, 120
    crop = photo.crop((left, top, left + width, top + height))
    for px in (64, 224):
        crop.resize((px, px), Image.BICUBIC).save(HERE / f"photo_17_29_101_120_to_{px}.png")
    crop.resize((80, 48), Image.BICUBIC).save(HERE / "photo_17_29_101_120_to_48x80.png")
    for px in (64, 224):
        crop.resize((px, px), Image.BILINEAR).save(HERE / f"photo_17_29_101_120_to_{px}_bilinear.png")
    grey_photo = photo.convert("L")
    grey_photo.save(HERE / "photo_luma.png")
    grey_photo.crop((left, top, left + width, top + height)).resize((80, 48), Image.BICUBIC).save(
        HERE / "photo_luma_17_29_101_120_to_48x80.png")
    evaluation_crop(photo, 112, 112).save(HERE / "photo_evaluation_112.png")
    evaluation_crop(photo, 64, 112).save(HERE / "photo_evaluation_64x112.png")
    evaluation_crop(photo, 192, 64).save(HERE / "photo_evaluation_192x64.png")


def evaluation_crop(image, height, width):
    """For a square torchvision's Resize(256), CenterCrop(224), at its own size."""
    w, h = image.size
    if height / h >= width / w:
        scaled_height = round(height * 256 / 224)
        size = (int(scaled_height * w / h), scaled_height)
    else:
        scaled_width = round(width * 256 / 224)
        size = (scaled_width, int(scaled_width * h / w))
    left, top = int(round((size[0] - width) / 2.0)), int(round((size[1] - height) / 2.0))
    return image.resize(size, Image.BICUBIC).crop((left, top, left + width, top + height))


if __name__ == "__main__":
    main()
