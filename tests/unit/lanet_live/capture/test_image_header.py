import struct

import cv2
import numpy as np
import pytest

from lanet_live.capture.image_header import read_image_size_wh

IMAGE = np.zeros((29, 37, 3), np.uint8)


def encode(suffix, options=()):
    return cv2.imencode(suffix, IMAGE, list(options))[1].tobytes()


@pytest.mark.parametrize(
    "data",
    [
        encode(".jpg"),
        encode(".jpg", (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)),
        encode(".png"),
        encode(".bmp"),
        encode(".webp", (cv2.IMWRITE_WEBP_QUALITY, 80)),
        encode(".webp", (cv2.IMWRITE_WEBP_QUALITY, 101)),
        encode(".tiff"),
        b"RIFF....WEBPVP8X" + bytes(8) + (36).to_bytes(3, "little") + (28).to_bytes(3, "little"),
        b"BM" + bytes(12) + struct.pack("<IHH", 12, 37, 29),
        b"BM" + bytes(12) + struct.pack("<Iii", 40, 37, -29),
        b"MM\x00*" + struct.pack(">IHHHIIHHIHH", 8, 2, 256, 4, 1, 37, 257, 3, 1, 29, 0),
    ],
)
def test_size_is_read_from_every_kind_of_header(data):
    assert read_image_size_wh(data) == (37, 29)


def test_header_cut_anywhere_gives_none_or_the_size():
    for suffix in (".jpg", ".png", ".bmp", ".webp", ".tiff"):
        data = encode(suffix)
        for length in range(min(len(data), 400)):
            assert read_image_size_wh(data[:length]) in (None, (37, 29))


@pytest.mark.parametrize("data", [b"", b"text", b"\xff\xd8" + b"\xff" * 50, b"RIFF....WEBPxxxx"])
def test_other_content_gives_none(data):
    assert read_image_size_wh(data) is None
