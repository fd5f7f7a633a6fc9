"""Films in notebooks."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import pytest
import view_runs

from ethospike.errors import ViewError
from ethospike.recorders.recording import Recording, open_recording

av = pytest.importorskip("av")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    folder = tmp_path_factory.mktemp("movie") / "run"
    view_runs.write(view_runs.ArenaRun(), folder)
    (folder / "run.json").write_text('{"scenario": "a\\"><script>alert(1)</script>"}')
    return open_recording(folder)


def test_a_notebook_plays_the_part_that_was_asked_for(recording: Recording, tmp_path: Path) -> None:
    movie = recording.movie(2.0, 4.0, speed=2.0, animal=1, size_px=(320, 180), hide="w")
    html = movie._repr_html_()
    (data,) = re.findall(r'src="data:video/mp4;base64,([A-Za-z0-9+/=]+)"', html)
    with av.open(io.BytesIO(base64.b64decode(data))) as film:
        frames = list(film.decode(video=0))
    assert len(frames) == 25  # 2 s at twice the speed, 25 frames a second
    assert (frames[0].width, frames[0].height) == (320, 180)
    assert "<script>" not in html
    assert html.count("<") == 2
    assert "2 … 4 s at 2× speed" in repr(movie)
    assert len(repr(movie)) < 200
    assert movie.save(tmp_path / "film.mp4").read_bytes() == movie.content


def test_mistakes_have_a_remedy(recording: Recording, tmp_path: Path) -> None:
    with pytest.raises(ViewError, match="at most 300 s of film, got 3000 s"):
        recording.movie(speed=0.01)
    with pytest.raises(ViewError, match="animal: expected"):
        recording.movie(animal=3)
    with pytest.raises(ViewError, match="nothing is recorded between 100 s"):
        recording.movie(100.0, 110.0)
    movie = recording.movie(0.0, 0.2, size_px=(160, 90))
    with pytest.raises(ViewError, match=r"end in \.mp4"):
        movie.save(tmp_path / "film.gif")
    with pytest.raises(ViewError, match="could not be written"):
        movie.save(tmp_path / "nowhere" / "film.mp4")
