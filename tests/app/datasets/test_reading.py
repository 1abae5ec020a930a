"""What one reading of a picture says where the file is gone or its profile is nonsense."""

from __future__ import annotations

from PIL import Image, ImageCms

from app.datasets import reading


def test_a_picture_that_is_gone_when_its_turn_comes_says_nothing(tmp_path):
    assert reading.read(tmp_path / "none.png", "none.png", "image") == {}


def test_a_profile_that_nobody_can_read_is_no_finding_and_a_foreign_one_is(tmp_path):
    image = Image.new("RGB", (32, 32), "red")
    foreign = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    traits = {}
    for name, profile in (("nonsense", b"no profile"), ("foreign", foreign)):
        path = tmp_path / f"{name}.png"
        image.save(path, icc_profile=profile)
        traits[name] = reading.read(path, path.name, "image")["traits"]
    assert "profile" not in traits["nonsense"]
    assert "profile" in traits["foreign"]
