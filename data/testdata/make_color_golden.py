#!/usr/bin/env python3
"""Makes color_NAME.png: a part of photo.jpg (as photo.jpg.rgb.png has its pixels) after torchvision's operations on uint8 tensors.

  make_color_golden.py      with torch, torchvision and NumPy (made with torch 2.11, torchvision 0.26); data/color_test.cc repeats the numbers
"""
import pathlib

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import functional as F

HERE = pathlib.Path(__file__).parent
LEFT, TOP, WIDTH, HEIGHT = 60, 70, 57, 40


def all_of_them(image):
    """The order hue, contrast, brightness, saturation, then the rest; and grey is left out, after which no colour is left to compare."""
    image = F.adjust_hue(image, -0.1)
    image = F.adjust_contrast(image, 0.7)
    image = F.adjust_brightness(image, 1.2)
    image = F.adjust_saturation(image, 1.5)
    image = F.gaussian_blur(image, [5, 5], [0.8, 0.8])
    return F.solarize(image, 128)


OPERATIONS = {
    "brightness": lambda image: F.adjust_brightness(image, 1.37),
    "contrast": lambda image: F.adjust_contrast(image, 0.63),
    "saturation": lambda image: F.adjust_saturation(image, 1.71),
    "hue": lambda image: F.adjust_hue(image, 0.23),
    "grey": lambda image: F.rgb_to_grayscale(image, 3),
    "blur": lambda image: F.gaussian_blur(image, [23, 23], [1.3, 1.3]),
    "solarize": lambda image: F.solarize(image, 128),
    "all": all_of_them,
}
# Of the green channel alone, as an image of one channel.
GREY_OPERATIONS = {
    "one_channel": lambda image: F.solarize(F.gaussian_blur(F.adjust_contrast(F.adjust_brightness(image, 0.8), 1.4), [7, 7], [1.1, 1.1]), 100),
}


def save(image, name):
    pixels = image.permute(1, 2, 0).numpy()
    Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0]).save(HERE / f"color_{name}.png", optimize=True)


def main():
    photo = np.array(Image.open(HERE / "photo.jpg.rgb.png").convert("RGB"))
    part = torch.from_numpy(photo[TOP:TOP + HEIGHT, LEFT:LEFT + WIDTH].copy()).permute(2, 0, 1).contiguous()
    for name, operation in OPERATIONS.items():
        save(operation(part), name)
    for name, operation in GREY_OPERATIONS.items():
        save(operation(part[1:2]), name)


if __name__ == "__main__":
    main()
