"""darktable's files: Bayer cameras that are in both, joined by name."""

import numpy as np
import pytest

from osbench.baselines.cameras.darktable import measured_sensors
from osbench.core.errors import DatasetError
from osbench.generation.cameras.virtual import virtual_cameras


def test_reads_what_is_complete(darktable):
    pentax, nikon = sorted(measured_sensors(darktable), key=lambda s: s.origin, reverse=True)
    assert (nikon.origin, nikon.cfa) == ("Nikon D9000", "GBRG")
    assert (pentax.origin, pentax.cfa) == ("PENTAX K-99", "BGGR")
    assert [p.iso for p in nikon.noise] == [100, 400], "beyond MAX_ISO there is only noise"
    assert nikon.noise[0].a == (4e-6, 2e-6, 4e-6)
    assert nikon.noise[1].b == (-1e-8, -1e-8, -1e-8), "fitted offsets are kept as they are"
    assert [p.iso for p in pentax.noise] == [100], "a fit with negative a is none"


def test_white_becomes_grey_in_the_camera(darktable):
    """The matrix of darktable's file takes XYZ of D65 to what the sensor sees; the multipliers must undo that."""
    nikon = next(s for s in measured_sensors(darktable) if s.origin == "Nikon D9000")
    from_xyz = np.array([[0.7034, -0.0804, -0.1014], [-0.4420, 1.2564, 0.2058], [-0.0851, 0.1994, 0.5758]])
    seen = from_xyz @ [0.95047, 1.0, 1.08883]
    np.testing.assert_allclose(seen * nikon.white_balance, seen[1], rtol=1e-4)
    np.testing.assert_allclose(np.sum(nikon.camera_from_srgb, axis=1), 1, rtol=1e-6)
    assert nikon.white_balance[1] == 1.0


def test_xml_without_a_folder_of_its_own(darktable):
    (darktable / "rawspeed" / "cameras.xml").rename(darktable / "cameras.xml")
    assert len(measured_sensors(darktable)) == 2


@pytest.mark.parametrize("name", ["noiseprofiles.json", "rawspeed/cameras.xml"])
def test_damaged_and_missing_files_are_named(darktable, name):
    (darktable / name).write_text('{"noiseprofiles": [{"models"')
    with pytest.raises(DatasetError, match=name.rpartition("/")[2]):
        measured_sensors(darktable)
    (darktable / name).unlink()
    with pytest.raises(DatasetError, match="no .*" + name.rpartition("/")[2]):
        measured_sensors(darktable)


def test_no_camera_in_both(darktable):
    (darktable / "noiseprofiles.json").write_text('{"noiseprofiles": []}')
    with pytest.raises(DatasetError, match="no camera has"):
        measured_sensors(darktable)


def test_measured_sensors_replace_the_sensor_alone(darktable):
    measured = measured_sensors(darktable)
    plain, real = virtual_cameras(4, seed=0), virtual_cameras(4, seed=0, measured=measured)
    assert {c.sensor.origin for c in real} == {s.origin for s in measured}
    assert {c.sensor.origin for c in plain} == {"assigned"}
    for a, b in zip(plain, real, strict=True):
        assert b.describe()["sensor"].keys() == {"origin", "sha256"}, "darktable's numbers stay where they are"
        assert a.describe()["sensor"]["noise"][0]["iso"] == 100
        assert (a.demosaicker, a.contrast, a.luma_table) == (b.demosaicker, b.contrast, b.luma_table)
