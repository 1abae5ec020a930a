"""The bell between programs."""

from __future__ import annotations

from app.waking import Bell, ring


def test_a_ring_wakes_who_listens_also_where_a_backup_left_a_file_in_the_place_of_the_pipe(
    tmp_path,
):
    (tmp_path / "wake").write_text("")
    bell = Bell(tmp_path)
    try:
        assert not bell.wait(0.01)
        ring(tmp_path)
        assert bell.wait(5)
        assert not bell.wait(0.01)
    finally:
        bell.close()
