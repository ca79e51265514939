"""The annotated video of a review, on a painted clip with its table."""

from pathlib import Path

import av
import numpy as np
import pytest

from lanet_live.drawing.overlay import draw_card, draw_result
from lanet_live.errors import ConfigError, SinkError
from lanet_live.review.edits import Edits, Limits
from lanet_live.review.export_table import ExportSpan
from lanet_live.review.export_video import export_video
from lanet_live.review.export_watch import ExportCancelled, ExportWatch
from lanet_live.review.recording import Recording, open_recording
from lanet_live.sinks.mp4 import Mp4Writer
from tests.fakes import make_result
from tests.review_tables import distribution, write_table

N_FRAMES = 20
TIMES_S = [index / 25 for index in range(N_FRAMES)]


def make_results():
    return [
        make_result(i, face_ids=(0, 1) if i % 2 else (0,), probabilities=distribution(i % 8))
        for i in range(N_FRAMES)
    ]


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    results = make_results()
    video = Mp4Writer(tmp_path / "t.mp4", results[0].frame.image_bgr.shape, overwrite=False)
    for result in results:
        video.append(result.frame.image_bgr, result.frame.timestamp_s)
    video.close()
    write_table(tmp_path / "t.csv", results)
    return open_recording(tmp_path / "t.csv")


def read(path: Path) -> dict[float, np.ndarray]:
    with av.open(str(path)) as container:
        return {
            round(frame.time, 3): frame.to_ndarray(format="bgr24").astype(int)
            for frame in container.decode(video=0)
        }


def shows_drawing(picture: np.ndarray, result, **options) -> bool:
    """Whether the pixels that are drawn on look drawn on; encoding twice leaves some error."""
    drawn, plain = draw_result(result, **options), result.frame.image_bgr
    is_drawn_on = (drawn != plain).any(axis=-1)
    with_it, without = (difference(picture[is_drawn_on], p[is_drawn_on]) for p in (drawn, plain))
    return with_it < 0.4 * without


def difference(picture: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(picture - expected.astype(int)).mean())


def test_every_frame_of_the_table_is_drawn_as_the_command_line_draws_it(recording, tmp_path):
    assert export_video(tmp_path / "out.mp4", recording, recording.edits) == 0
    pictures = read(tmp_path / "out.mp4")
    assert list(pictures) == TIMES_S
    for result in make_results():
        assert shows_drawing(pictures[result.frame.timestamp_s], result)


def test_edits_are_drawn_names_limits_and_merged_faces(recording, tmp_path):
    edits = Edits(names={0: "Zoë"}, limits=Limits(0.1, 0.0))
    export_video(tmp_path / "out.mp4", recording, edits)
    unreliable = make_result(0, probabilities=distribution(0), is_reliable=False)
    pictures = read(tmp_path / "out.mp4")
    assert shows_drawing(pictures[0.0], unreliable, names={0: "Zoë"})


def test_an_excluded_range_is_one_card_and_none_of_its_pictures(recording, tmp_path):
    edits = recording.edits.with_excluded(0.2, 0.4)
    export_video(tmp_path / "out.mp4", recording, edits)
    pictures = read(tmp_path / "out.mp4")
    assert list(pictures) == [t for t in TIMES_S if not 0.2 < t <= 0.4]
    card = draw_card((320, 240), "Excluded: 0.20 s to 0.40 s")
    assert difference(pictures[0.2], card) < 2


def test_a_part_keeps_its_times(recording, tmp_path):
    export_video(tmp_path / "out.mp4", recording, recording.edits, span=ExportSpan(0.4, 0.6))
    assert list(read(tmp_path / "out.mp4")) == [t for t in TIMES_S if 0.4 <= t <= 0.6]


def test_a_cancelled_export_leaves_nothing_and_keeps_what_was_there(recording, tmp_path):
    class Impatient(ExportWatch):
        def step(self, n_done, n_total):
            assert n_total == N_FRAMES
            if n_done == 7:
                self.cancel()
            super().step(n_done, n_total)

    before = sorted(path.name for path in tmp_path.iterdir())
    watch = Impatient()
    with pytest.raises(ExportCancelled):
        export_video(tmp_path / "out.mp4", recording, recording.edits, watch=watch)
    assert watch.share == pytest.approx(7 / N_FRAMES)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_frames_the_video_lacks_are_counted_and_none_at_all_is_an_error(recording, tmp_path):
    late = write_table(
        tmp_path / "late.csv", [make_result(i, timestamp_s=i / 25) for i in range(40)]
    )
    (tmp_path / "t.mp4").rename(tmp_path / "late.mp4")
    longer = open_recording(late)
    # The video ends at 0.76 s; its last picture stands for half a second.
    assert export_video(tmp_path / "out.mp4", longer, longer.edits) == 40 - 32
    with pytest.raises(ConfigError, match="own video"):
        export_video(tmp_path / "late.mp4", longer, longer.edits)
    with pytest.raises(SinkError, match="no picture"):
        export_video(tmp_path / "o.mp4", longer, longer.edits, span=ExportSpan(1.4, None))
    assert not (tmp_path / "o.mp4").exists()


def test_without_a_video_it_says_so(tmp_path):
    recording = open_recording(write_table(tmp_path / "t.csv", make_results()))
    with pytest.raises(ConfigError, match="has no video"):
        export_video(tmp_path / "out.mp4", recording, recording.edits)
