"""Camera names from EXIF or folders, scenes by time, folder or file, splits without a leak, and damaged files."""

import io
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from osbench.baselines.cameras.exif import camera_name, read_exif
from osbench.baselines.cameras.photographs import SCENE_GAP_SECONDS, find_photographs, read_photograph
from osbench.core.errors import DatasetError, UsageError

NOON = datetime(2020, 5, 17, 12, 0, 0)


def by_path(photographs, attribute):
    return {p.relative: getattr(p, attribute) for p in photographs}


@pytest.mark.parametrize(
    ("make", "model", "name"),
    [
        ("NIKON CORPORATION", "NIKON D70", "NIKON D70"),
        ("Canon", "Canon EOS 70D", "Canon EOS 70D"),
        ("SONY", "DSC-RX100\0", "SONY DSC-RX100"),
        ("  samsung  ", "GT-I8190N", "samsung GT-I8190N"),
        (None, "Nexus 5", "Nexus 5"),
        ("Canon", "", None),
        (None, None, None),
    ],
)
def test_camera_names(make, model, name):
    assert camera_name(make, model) == name


def test_exif_of_a_file(tmp_path, write_photograph):
    path = write_photograph(tmp_path / "a.jpg", seed=0, make="Apple", model="iPhone 7", time=NOON)
    with Image.open(path) as picture:
        record = read_exif(picture)
    assert (record.camera, record.time) == ("Apple iPhone 7", NOON)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_counts_as_none():
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f garbage")
    with Image.open(buffer) as picture:
        assert read_exif(picture).camera is None


def test_folder_names_are_cameras_without_exif(tree):
    photographs = find_photographs(tree)
    assert {p.camera for p in photographs} == {"alpha", "beta"}
    assert [p.relative for p in photographs] == sorted(p.relative for p in photographs)
    assert all(p.camera == p.relative.split("/")[0] for p in photographs)


def test_exif_goes_before_the_folder(tmp_path, write_photograph):
    """Two devices of one model are one camera; a file without EXIF goes with the others of its folder."""
    for folder, model in (("D01", "X-T2"), ("D02", "X-T2"), ("D03", "X-T3")):
        for i in range(3):
            seed = 10 * int(folder[1:]) + i
            write_photograph(tmp_path / folder / f"{i}.jpg", seed=seed, make="FUJIFILM", model=model)
    write_photograph(tmp_path / "D03" / "stripped.jpg", seed=99)
    cameras = by_path(find_photographs(tmp_path), "camera")
    assert set(cameras.values()) == {"FUJIFILM X-T2", "FUJIFILM X-T3"}
    assert cameras["D03/stripped.jpg"] == "FUJIFILM X-T3"
    by_folder = by_path(find_photographs(tmp_path, labels="folder"), "camera")
    assert set(by_folder.values()) == {"D01", "D02", "D03"}
    assert "D03/stripped.jpg" not in by_path(find_photographs(tmp_path, labels="exif"), "camera")


def test_a_folder_of_two_models_lends_its_name_to_files_without_exif(tmp_path, write_photograph):
    for i in range(6):
        write_photograph(tmp_path / "mixed" / f"{i}.jpg", seed=i, make="Canon", model=f"PowerShot {i % 2}")
    for i in range(3):
        write_photograph(tmp_path / "mixed" / f"plain{i}.jpg", seed=50 + i)
    cameras = by_path(find_photographs(tmp_path), "camera")
    assert cameras["mixed/plain0.jpg"] == "mixed"
    assert cameras["mixed/1.jpg"] == "Canon PowerShot 1"


def test_files_without_any_camera_are_named(tmp_path, tree, write_photograph):
    write_photograph(tree / "loose.jpg", seed=77)
    with pytest.raises(DatasetError, match=r"loose\.jpg: no camera in EXIF"):
        find_photographs(tree)


def test_bursts_stay_together(tmp_path, write_photograph):
    """Shots at most two minutes apart are one scene, however long the chain; the other camera's clock is its own."""
    step = timedelta(seconds=SCENE_GAP_SECONDS)
    for camera in ("A", "B"):
        for scene in range(4):
            for shot in range(3):
                time = NOON + timedelta(hours=scene) + shot * step
                seed = 100 * ord(camera) + 10 * scene + shot
                write_photograph(tmp_path / f"{camera}{scene}{shot}.jpg", seed=seed, make="M", model=camera, time=time)
    photographs = find_photographs(tmp_path)
    scenes = by_path(photographs, "scene")
    assert len(set(scenes.values())) == 8
    for camera in ("A", "B"):
        for scene in range(4):
            assert len({scenes[f"{camera}{scene}{shot}.jpg"] for shot in range(3)}) == 1


def test_folders_below_a_camera_are_scenes_shared_by_all(tmp_path, write_photograph):
    for k, camera in enumerate(("alpha", "beta")):
        for s, scene in enumerate(("kitchen", "street", "tree", "wall")):
            for i in range(2):
                write_photograph(tmp_path / camera / scene / f"{i}.jpg", seed=100 * k + 10 * s + i)
    photographs = find_photographs(tmp_path)
    assert {p.scene for p in photographs} == {"folder kitchen", "folder street", "folder tree", "folder wall"}
    for scene in ("kitchen", "street", "tree", "wall"):
        assert len({p.split for p in photographs if f"/{scene}/" in p.relative}) == 1


def test_two_folders_are_no_scenes(tmp_path, write_photograph):
    """``images/flat`` and ``images/nat``, as in some databases, would leave nothing to test on: files are scenes."""
    for k, camera in enumerate(("alpha", "beta")):
        for kind in ("flat", "nat"):
            for i in range(3):
                write_photograph(tmp_path / camera / "images" / kind / f"{i}.jpg", seed=100 * k + 10 * len(kind) + i)
    assert len({p.scene for p in find_photographs(tmp_path)}) == 12


def test_no_scene_is_in_two_splits_and_every_camera_in_all(tmp_path, write_photograph):
    rng = np.random.default_rng(0)
    for k in range(3):
        for i in range(40):
            time = NOON + timedelta(seconds=int(rng.integers(0, 20_000))) if i % 3 else None
            write_photograph(tmp_path / f"cam{k}" / f"{i}.jpg", seed=100 * k + i, time=time, size=16)
    photographs = find_photographs(tmp_path)
    split_of: dict[str, set[str]] = {}
    for p in photographs:
        split_of.setdefault(p.scene, set()).add(p.split)
    assert all(len(splits) == 1 for splits in split_of.values())
    for k in range(3):
        splits = [p.split for p in photographs if p.camera == f"cam{k}"]
        assert set(splits) == {"train", "val", "test"}
        assert splits.count("train") > len(splits) / 2
    assert photographs == find_photographs(tmp_path)


def test_copies_of_a_file_share_their_scene(tree):
    for i in range(5):
        shutil.copy(tree / "alpha" / "0.jpg", tree / "alpha" / f"copy{i}.jpg")
    photographs = find_photographs(tree)
    copies = [p for p in photographs if p.camera == "alpha" and ("copy" in p.relative or "/0.jpg" in p.relative)]
    assert len(copies) == 6
    assert len({(p.scene, p.split) for p in copies}) == 1


def test_one_picture_under_two_cameras_is_refused(tree):
    shutil.copy(tree / "alpha" / "0.jpg", tree / "beta" / "stolen.jpg")
    with pytest.raises(DatasetError, match=r"stolen\.jpg: the same picture as .*0\.jpg"):
        find_photographs(tree)


def test_decoded_pixels_are_those_of_the_file(tree):
    path = tree / "alpha" / "0.jpg"
    with Image.open(path) as picture:
        assert np.array_equal(read_photograph(path), np.asarray(picture))


def test_orientation_is_left_alone(tmp_path):
    """Turning a picture would turn its mosaic and its block grid too."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 24), "red").save(tmp_path / "a.jpg", exif=exif)
    assert read_photograph(tmp_path / "a.jpg").shape == (24, 40, 3)


def test_truncated_and_foreign_files_are_named(tree):
    path = tree / "beta" / "3.jpg"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match=r"3\.jpg: is not a complete image") as error:
        read_photograph(path)
    assert "\n" not in str(error.value)
    path.write_bytes(b"\x89PNG no jpeg")
    with pytest.raises(DatasetError, match=r"3\.jpg: is not a readable image .JPEG"):
        find_photographs(tree)


def test_colour_modes_other_than_rgb(tmp_path):
    Image.new("CMYK", (40, 40)).save(tmp_path / "a.jpg")
    with pytest.raises(DatasetError, match=r"a\.jpg: colour mode CMYK"):
        read_photograph(tmp_path / "a.jpg")


def test_other_files_are_left_out_with_a_word(tree, caplog):
    Image.new("RGB", (64, 64)).save(tree / "alpha" / "edited.png")
    with caplog.at_level("WARNING", logger="osbench"):
        assert len(find_photographs(tree)) == 12
    assert "1 files are no .jpg" in caplog.text


def test_fewer_than_two_cameras(tree):
    shutil.rmtree(tree / "beta")
    with pytest.raises(DatasetError, match=r"fewer than two cameras \(found: alpha\)"):
        find_photographs(tree)


def test_too_few_scenes(tree):
    for i in range(2, 6):
        (tree / "beta" / f"{i}.jpg").unlink()
    with pytest.raises(DatasetError, match="camera 'beta' has too few scenes"):
        find_photographs(tree)


def test_missing_and_empty_folders(tmp_path: Path):
    with pytest.raises(DatasetError, match="no such folder"):
        find_photographs(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="holds no images"):
        find_photographs(tmp_path / "empty")
    with pytest.raises(UsageError, match="labels"):
        find_photographs(tmp_path, labels="filename")


def test_files_with_two_pictures_in_them(tmp_path):
    """Many cameras append a preview (MPO); the first picture counts."""
    first, preview = (Image.fromarray(np.full((40, 40, 3), v, np.uint8)) for v in (90, 200))
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[preview])
    assert abs(int(read_photograph(tmp_path / "a.jpg").mean()) - 90) <= 1
