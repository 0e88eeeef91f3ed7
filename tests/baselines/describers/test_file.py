"""Captions in a file of the user's."""

import json

import numpy as np
import pytest
from PIL import Image

from osbench.baselines.describers.file import CaptionFile, read_captions
from osbench.core.errors import DatasetError
from osbench.generation.pixels import pixel_sha256


def images(count=3, side=16):
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)


def write_captions(path, some, texts):
    rows = [{"pixel_sha256": pixel_sha256(x), "caption": text} for x, text in zip(some, texts, strict=True)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_captions_follow_the_image_not_its_place(tmp_path):
    path = write_captions(tmp_path / "captions.jsonl", images(), ["one", "two", "three"])
    assert CaptionFile(path).of(images()[[2, 0]]) == ["three", "one"]


def test_missing_captions_and_bad_lines_are_named(tmp_path):
    path = write_captions(tmp_path / "captions.jsonl", images(2), ["one", "two"])
    with pytest.raises(DatasetError, match="no caption for 1 of 3"):
        CaptionFile(path).of(images())
    path.write_text('{"caption": "no image"}\n')
    with pytest.raises(DatasetError, match="line 1"):
        CaptionFile(path)
    with pytest.raises(DatasetError, match="cannot be read"):
        CaptionFile(tmp_path / "nowhere")


def test_a_last_line_that_was_cut_off_is_left_out(tmp_path):
    path = write_captions(tmp_path / "captions.jsonl", images(2), ["one", "two"])
    path.write_text(path.read_text()[:-9])
    assert list(read_captions(path).values()) == ["one"]


def test_a_table_speaks_of_image_files(tmp_path):
    pictures = images(2, 20)
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
    table = tmp_path / "captions.csv"
    table.write_text('file,caption\n1.png,"a cliff, a lighthouse"\n0.png,a beach\n')
    assert CaptionFile(table).of(pictures[:, 2:18, 2:18]) == ["a beach", "a cliff, a lighthouse"]
    with pytest.raises(DatasetError, match="no caption for 1 of 1"):
        CaptionFile(table).of(images(1))
    with pytest.raises(DatasetError, match=r"1[.]png: 20x20 is smaller"):
        CaptionFile(table).of(images(1, 24))


@pytest.mark.parametrize("text", ["", "image,caption\na.png,x\n", "file,caption\n,x\n", "file,caption\na.png\n"])
def test_a_table_that_is_none(tmp_path, text):
    (tmp_path / "captions.csv").write_text(text)
    with pytest.raises(DatasetError, match="file,caption"):
        CaptionFile(tmp_path / "captions.csv")
