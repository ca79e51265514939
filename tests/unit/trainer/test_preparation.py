import json
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lanet_live.face.alignment import estimate_frame_to_crop
from lanet_trainer.commands.main import main
from lanet_trainer.datasets import blocks
from lanet_trainer.datasets.base import DatasetListing
from lanet_trainer.datasets.chips import MAX_CHIP_SIDE_PX
from lanet_trainer.datasets.files import open_source
from lanet_trainer.datasets.folder import read_folder
from lanet_trainer.datasets.preparation import PreparationOptions, prepare
from lanet_trainer.datasets.prepared import open_prepared
from lanet_trainer.errors import DataError
from lanet_trainer.landmarks import PLAIN, STRICT, TrainingFaceFinder
from tests.prepared_sets import face_landmarks


class InlineExecutor:
    """Runs blocks in this process; can be interrupted after some of them."""

    n_until_interrupt = 10**9

    def __init__(self, *_: Any, **__: Any) -> None:
        self.n_run = 0

    def submit(self, function: Callable[..., None], *args: Any) -> "Future[None]":
        if self.n_run == self.n_until_interrupt:
            raise KeyboardInterrupt
        self.n_run += 1
        future: Future[None] = Future()
        try:
            future.set_result(function(*args))
        except DataError as error:
            future.set_exception(error)
        return future

    def shutdown(self, **_: Any) -> None:
        pass


class BrightFaceFinder:
    """Sees a face that fills the picture's middle square in bright pictures only."""

    def __init__(self) -> None:
        self.n_asked = 0

    def find(self, picture: np.ndarray, **_: Any) -> np.ndarray | None:
        self.n_asked += 1
        if picture.mean() < 100:
            return None
        side = min(picture.shape[:2])
        return face_landmarks(centre_px=side / 2, side_px=side * 0.5)


@pytest.fixture
def finder(monkeypatch: pytest.MonkeyPatch) -> Iterator[BrightFaceFinder]:
    finder = BrightFaceFinder()
    monkeypatch.setattr(blocks, "BLOCK_SIZE", 4)
    monkeypatch.setattr(blocks, "ProcessPoolExecutor", InlineExecutor)
    monkeypatch.setattr(InlineExecutor, "n_until_interrupt", 10**9)
    yield finder
    blocks._worker.clear()


def _listing(root: Path, finder: BrightFaceFinder, *, side: int = 48) -> DatasetListing:
    for name, base in (("Happy", 200), ("Sad", 30)):
        for i in range(6):
            path = root / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                cv2.imwrite(str(path), np.full((side, side), base + i, dtype=np.uint8))
    listing = read_folder(open_source(root), name="mine")
    blocks._worker.update(files=listing.files, finder=finder, is_face_crop=False)
    return listing


def test_prepared_data_hold_pictures_landmarks_and_a_report(
    tmp_path: Path, finder: BrightFaceFinder
) -> None:
    steps: list[tuple[int, int]] = []
    summary = prepare(
        _listing(tmp_path / "in", finder),
        tmp_path / "out",
        on_progress=lambda *step: steps.append(step),
    )
    assert summary.counts == {"train": {"pictures": 12, "without_face": 6, "damaged": 0}}
    assert steps[0] == (0, 12)
    assert steps[-1] == (12, 12)
    split = open_prepared(tmp_path / "out").split("train")
    assert split.has_face.tolist() == [True] * 6 + [False] * 6
    assert split.label.tolist() == [0] * 6 + [1] * 6
    np.testing.assert_array_equal(split.image(7), np.full((48, 48), 31))
    expected = estimate_frame_to_crop(split.landmarks_px[0], size_px=1)
    np.testing.assert_allclose(split.alignment[0], expected, atol=1e-12)
    report = (tmp_path / "out" / "without_face.csv").read_text().splitlines()
    assert report[1:] == [f"train,Sad/{i}.png,Sad/{i}.png" for i in range(6)]
    assert not (tmp_path / "out" / ".work").exists()


def test_preparing_again_does_nothing_until_an_input_changes(
    tmp_path: Path, finder: BrightFaceFinder
) -> None:
    listing = _listing(tmp_path / "in", finder)
    prepare(listing, tmp_path / "out")
    assert finder.n_asked == 12
    assert prepare(listing, tmp_path / "out").was_up_to_date
    assert finder.n_asked == 12
    cv2.imwrite(str(tmp_path / "in" / "Sad" / "0.png"), np.full((50, 50), 250, dtype=np.uint8))
    assert not prepare(listing, tmp_path / "out").was_up_to_date
    assert open_prepared(tmp_path / "out").split("train").has_face[6]


def test_an_interrupted_preparation_goes_on_where_it_stopped(
    tmp_path: Path, finder: BrightFaceFinder, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = _listing(tmp_path / "in", finder)
    monkeypatch.setattr(InlineExecutor, "n_until_interrupt", 2)
    with pytest.raises(KeyboardInterrupt):
        prepare(listing, tmp_path / "out")
    with pytest.raises(DataError, match="lanet-train prepare"):
        open_prepared(tmp_path / "out")
    monkeypatch.setattr(InlineExecutor, "n_until_interrupt", 10**9)
    summary = prepare(listing, tmp_path / "out")
    assert summary.n_resumed == 8
    assert finder.n_asked == 12
    assert len(open_prepared(tmp_path / "out").split("train")) == 12


def test_a_damaged_picture_stops_with_its_name_or_is_left_out(
    tmp_path: Path, finder: BrightFaceFinder
) -> None:
    (tmp_path / "in" / "Happy").mkdir(parents=True)
    (tmp_path / "in" / "Happy" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    listing = _listing(tmp_path / "in", finder)
    with pytest.raises(DataError, match=r"Happy/3\.png is damaged.*--skip-damaged"):
        prepare(listing, tmp_path / "out")
    summary = prepare(listing, tmp_path / "out", options=PreparationOptions(skip_damaged=True))
    assert summary.counts["train"] == {"pictures": 11, "without_face": 6, "damaged": 1}
    split = open_prepared(tmp_path / "out").split("train")
    assert "Happy/3.png" not in split.sample_ids
    assert split.image(3).mean() == 204
    np.testing.assert_allclose(split.points_px[3], split.points_px[2], atol=1e-6)


def test_a_missing_picture_is_named_before_the_work_starts(
    tmp_path: Path, finder: BrightFaceFinder
) -> None:
    listing = _listing(tmp_path / "in", finder)
    (tmp_path / "in" / "Sad" / "5.png").unlink()
    with pytest.raises(DataError, match=r"5\.png"):
        prepare(listing, tmp_path / "out")
    assert finder.n_asked == 0


def test_a_folder_of_other_things_is_not_written_to(
    tmp_path: Path, finder: BrightFaceFinder
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="other files"):
        prepare(_listing(tmp_path / "in", finder), tmp_path / "out")


def test_large_pictures_become_small_chips_around_the_face(
    tmp_path: Path, finder: BrightFaceFinder
) -> None:
    prepare(_listing(tmp_path / "in", finder, side=1000), tmp_path / "out")
    split = open_prepared(tmp_path / "out").split("train")
    for position in (0, 6):
        assert max(split.image(position).shape) == MAX_CHIP_SIDE_PX
    # The crop keeps its margin inside the chip.
    affine = split.alignment[0]
    corners = (np.array([[0, 0], [1, 1]]) - affine[:, 2]) @ np.linalg.inv(affine[:, :2]).T
    assert (corners[0] > 20).all()
    assert (corners[1] < MAX_CHIP_SIDE_PX - 20).all()
    # Without a face the middle square is cut.
    middle = np.array([[0.5, 0.5]]) - split.alignment[6][:, 2]
    centre = middle @ np.linalg.inv(split.alignment[6][:, :2]).T
    np.testing.assert_allclose(centre[0], MAX_CHIP_SIDE_PX / 2, atol=1e-6)


@pytest.mark.slow
def test_real_faces_are_found_by_worker_processes(
    tmp_path: Path, shared_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = shared_dir / "data" / "ferplus-train-valid.zip"
    folder = tmp_path / "in" / "FER2013Valid"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(archive) as source:
        names = [n for n in source.namelist() if "FER2013Valid/" in n and n.endswith(".png")][:8]
        for name in names:
            (folder / Path(name).name).write_bytes(source.read(name))
        lines = source.read("ferplus/FER2013Valid/label.csv").decode().splitlines()
    kept = [line for line in lines if (folder / line.partition(",")[0]).exists()]
    (folder / "label.csv").write_text("\n".join(kept))
    arguments = ["prepare", "ferplus", "--root", str(tmp_path / "in"), "--out", str(tmp_path / "o")]
    assert main([*arguments, "--processes", "1"]) == 0
    assert "valid: 8 pictures" in capsys.readouterr().out
    split = open_prepared(tmp_path / "o").split("valid")
    assert split.has_face.sum() >= 7
    points = split.points_px[split.has_face]
    assert (points[:, 6, 0] < points[:, 11, 0]).all()  # left eye left of the right one
    assert (points[:, 18, 1] > points[:, 13, 1]).all()  # chin below the nose
    assert main([*arguments, "--processes", "1"]) == 0
    assert "up to date" in capsys.readouterr().out
    assert json.loads((tmp_path / "o" / "dataset.json").read_text())["name"] == "ferplus"


def test_command_refuses_a_wrong_root_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    assert main(["prepare", "rafdb", "--root", str(tmp_path / "no"), "--out", out]) == 2
    assert "check --root" in capsys.readouterr().err
    root = ["--root", str(tmp_path), "--out", out]
    assert main(["prepare", "affectnet", *root]) == 2
    assert main(["prepare", "ferplus", *root, "--processes", "0"]) == 2


@pytest.fixture
def real_finder() -> Iterator[TrainingFaceFinder]:
    finder = TrainingFaceFinder()
    yield finder
    finder.close()


@pytest.mark.slow
def test_a_face_is_found_in_its_box_in_a_photograph_and_in_a_tiny_crop(
    shared_dir: Path, real_finder: TrainingFaceFinder
) -> None:
    """One face shown three ways gives the same landmarks."""
    with zipfile.ZipFile(shared_dir / "data" / "ferplus-train-valid.zip") as source:
        data = source.read("ferplus/FER2013Valid/fer0028642.png")
    tiny = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    crop = cv2.resize(tiny, (240, 240), interpolation=cv2.INTER_CUBIC)
    photograph = np.full((600, 900, 3), 90, dtype=np.uint8)
    photograph[200:440, 500:740] = crop
    in_tiny = real_finder.find(tiny, is_face_crop=True)
    in_box = real_finder.find(
        photograph, is_face_crop=False, box_xyxy_px=(500.0, 200.0, 740.0, 440.0)
    )
    in_photograph = real_finder.find(photograph, is_face_crop=False)
    assert in_tiny is not None
    assert in_box is not None
    assert in_photograph is not None
    for found in (in_box, in_photograph):
        back = (found - [500, 200]) / 5
        assert np.abs(back - in_tiny).mean() < 1.5  # tiny pixels
    nothing = np.full((48, 48, 3), 128, dtype=np.uint8)
    assert real_finder.find(nothing, is_face_crop=True) is None
    outside = (2000.0, 2000.0, 2100.0, 2100.0)
    assert real_finder.find(photograph, is_face_crop=False, box_xyxy_px=outside) is None


def test_a_mesh_that_cannot_be_the_pictures_face_is_refused() -> None:
    good = face_landmarks(centre_px=24, side_px=44)
    assert PLAIN.allows(good, (48, 48))
    assert not PLAIN.allows(face_landmarks(centre_px=24, side_px=12), (48, 48))
    assert not PLAIN.allows(face_landmarks(centre_px=42, side_px=44), (48, 48))
    small = face_landmarks(centre_px=21, side_px=22)
    assert PLAIN.allows(small, (48, 48))
    assert not PLAIN.allows(small - 8, (48, 48))  # small faces lie in the middle
    assert not STRICT.allows(small, (48, 48))
    turned = (good - 24) @ np.array([[0.0, 1.0], [-1.0, 0.0]]) + 24
    assert not PLAIN.allows(turned, (48, 48))
    assert not PLAIN.allows(np.full((478, 2), np.nan), (48, 48))


def test_a_split_that_is_open_survives_a_new_preparation(
    tmp_path: Path, finder: BrightFaceFinder
) -> None:
    listing = _listing(tmp_path / "in", finder)
    prepare(listing, tmp_path / "out")
    opened = open_prepared(tmp_path / "out").split("train")
    cv2.imwrite(str(tmp_path / "in" / "Sad" / "0.png"), np.full((90, 90), 250, dtype=np.uint8))
    prepare(listing, tmp_path / "out")
    np.testing.assert_array_equal(opened.image(6), np.full((48, 48), 30))
    np.testing.assert_array_equal(opened.image(11), np.full((48, 48), 35))
    renewed = open_prepared(tmp_path / "out").split("train")
    np.testing.assert_array_equal(renewed.image(6), np.full((90, 90), 250))
