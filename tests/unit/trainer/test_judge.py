"""Several models on several data sets: intervals over persons, and figures of sure answers."""

import json
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from lanet_live.face.template import TEMPLATE_ID
from lanet_live.resources import asset_path
from lanet_trainer.commands.main import main
from lanet_trainer.datasets.layout import CHIPS_FILE, OFFSETS_FILE
from lanet_trainer.errors import ConfigError, DataError
from lanet_trainer.evaluation.found_faces import FoundFaces, find_faces, logits_of, read_persons
from lanet_trainer.evaluation.shift import Pictures, compare, figures_of, resamples_of_groups
from lanet_trainer.metrics import Judged
from tests.prepared_sets import LABELS, write_prepared
from tests.tiny_model import tiny_spec, write_tiny_model

NAMES = ("a", "b")


def pictures(confidence: list[float], correct: list[bool], reliable: list[bool]) -> Pictures:
    """Two classes, all of the first; `confidence` of the answer, NaN for a missed face."""
    sure = np.array(confidence)
    first = np.where(correct, sure, 1 - sure)
    judged = Judged(np.column_stack([first, 1 - first]), np.zeros(len(sure), dtype=np.int64))
    return Pictures(judged, np.array(reliable))


def test_shares_are_of_all_pictures_and_errors_of_the_answers() -> None:
    found = pictures(
        [0.95, 0.99, 0.91, 0.8, float("nan")],
        [True, False, True, True, True],
        [True, True, False, True, False],
    )
    figures = figures_of(found, NAMES)
    assert figures["accuracy"] == pytest.approx(3 / 5)
    assert figures["sure_share"] == pytest.approx(3 / 5)
    assert figures["sure_error"] == pytest.approx(1 / 3)
    assert figures["reliable_share"] == pytest.approx(3 / 5)
    assert figures["reliable_error"] == pytest.approx(1 / 3)
    assert np.isnan(figures["recall_b"])


def test_persons_are_drawn_whole() -> None:
    group = np.array([3, 1, 3, 0, 1, 3])
    for index in resamples_of_groups(group, seed=0, n_resamples=20):
        drawn = np.bincount(index, minlength=6)
        for person in np.unique(group):
            assert len(set(drawn[group == person])) == 1
        assert drawn.sum() > 0


def test_pictures_of_few_persons_give_wider_intervals_and_pairs_narrower_ones() -> None:
    generator = np.random.default_rng(0)
    person = np.repeat(np.arange(20), 20)
    is_hard = generator.random(20)[person] < 0.4
    correct = (~is_hard).tolist()
    old = pictures([0.8] * 400, correct, [True] * 400)
    better = np.array(correct)
    better[np.flatnonzero(is_hard)[:40]] = True
    new = pictures([0.8] * 400, better.tolist(), [True] * 400)
    by_person = compare({"old": old, "new": new}, NAMES, person, n_resamples=200)
    alone = compare({"old": old}, NAMES, np.arange(400), n_resamples=200)
    wide, narrow = (r["figures"]["old"]["accuracy"] for r in (by_person, alone))
    assert wide["high"] - wide["low"] > 2 * (narrow["high"] - narrow["low"])
    gain = by_person["differences"]["new"]["accuracy"]
    assert gain["value"] == pytest.approx(0.1)
    assert gain["high"] - gain["low"] < wide["high"] - wide["low"]
    assert (by_person["n_persons"], alone["n_persons"]) == (20, 400)


def copy_chips(data: Path, positions: list[int]) -> None:
    """Replace pictures of the validation split by pictures of the training split."""
    own = [np.load(data / split / OFFSETS_FILE) for split in ("train", "valid")]
    chips = [(data / split / CHIPS_FILE).read_bytes() for split in ("train", "valid")]
    pieces = [
        chips[0][own[0][i] : own[0][i + 1]]
        if i in positions
        else chips[1][own[1][i] : own[1][i + 1]]
        for i in range(len(own[1]) - 1)
    ]
    (data / "valid" / CHIPS_FILE).write_bytes(b"".join(pieces))
    np.save(data / "valid" / OFFSETS_FILE, np.cumsum([0, *map(len, pieces)]).astype(np.int64))


def test_two_models_on_crops_with_and_without_copies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_prepared(tmp_path / "data")
    copy_chips(data, [3, 7])
    spec = tiny_spec(labels=LABELS, alignment=TEMPLATE_ID)
    models = [write_tiny_model(tmp_path / f"{n}.onnx", spec, seed=n) for n in (0, 1)]
    out = tmp_path / "out"
    words = ["judge", *map(str, models), "--crops", str(data), "--duplicates-of", "train"]
    assert main([*words, "--resamples", "20", "--out", str(out)]) == 0
    report = json.loads((out / "judge.json").read_text())
    assert list(report["models"]) == ["0", "1"]
    title = "tiny valid, crops"
    assert list(report["sets"]) == [title, f"{title}, without copies of train images"]
    assert [part["n_pictures"] for part in report["sets"].values()] == [12, 10]
    part = report["sets"]["tiny valid, crops"]
    for figure, value in part["figures"]["0"].items():
        other, difference = (part[k]["1"][figure]["value"] for k in ("figures", "differences"))
        if value["value"] is None or other is None:
            assert difference is None
        else:
            assert difference == pytest.approx(other - value["value"])
    assert "js" in part["figures"]["0"]
    page = capsys.readouterr().out
    assert "| accuracy | " in page
    assert str(tmp_path) not in (out / "judge.json").read_text() + page


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give --crops, --pictures or both"),
        (["--crops", "x", "--resamples", "0"], "--resamples must be at least 1"),
        (["--crops", "nowhere"], "nowhere"),
        (["--crops", "{data}", "--persons", "nobody.csv"], "nobody.csv"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_one_sentence(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_prepared(tmp_path / "data")
    model = write_tiny_model(tmp_path / "m.onnx", tiny_spec(labels=LABELS, alignment=TEMPLATE_ID))
    given = [word.format(data=data) for word in words]
    assert main(["judge", str(model), *given, "--out", str(tmp_path / "out")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert message in lines[0]


def made_up_faces(n_found: int = 5, n_missed: int = 1, *, size_px: int = 32) -> FoundFaces:
    n = n_found + n_missed
    generator = np.random.default_rng(0)
    return FoundFaces(
        class_names=np.array(LABELS),
        label=np.arange(n) % len(LABELS),
        votes=np.full((n, len(LABELS)), np.nan),
        kind=np.array(["clean"] * n),
        is_found=np.arange(n) < n_found,
        quality=np.where(np.arange(n) < n_found, 0.9, np.nan),
        crops=generator.integers(0, 256, (n, size_px, size_px, 3), dtype=np.uint8),
        picture=np.array([f"p{i}.jpg" for i in range(n)]),
        person=np.array([f"x{i // 2}" for i in range(n)]),
    )


def test_classes_are_matched_by_name_and_missed_faces_have_no_logits(tmp_path: Path) -> None:
    from lanet_engines.registry import open_engine

    spec = tiny_spec(labels=LABELS, alignment=TEMPLATE_ID)
    faces = made_up_faces()
    engine = open_engine(write_tiny_model(tmp_path / "m.onnx", spec))
    other = open_engine(write_tiny_model(tmp_path / "o.onnx", replace(spec, labels=LABELS[::-1])))
    try:
        logits, reversed_ = logits_of(engine, faces), logits_of(other, faces)
        with pytest.raises(ConfigError, match="takes crops of 32 px, the faces were cut at 16 px"):
            logits_of(engine, made_up_faces(size_px=16))
    finally:
        engine.close()
        other.close()
    assert np.isnan(logits[5]).all()
    assert np.isfinite(logits[:5]).all()
    assert np.allclose(logits[:5], reversed_[:5, ::-1], atol=1e-5)


def test_kept_faces_come_back_and_other_files_are_refused(tmp_path: Path) -> None:
    faces = made_up_faces()
    faces.write(tmp_path / "f.npz")
    again = FoundFaces.read(tmp_path / "f.npz")
    assert np.array_equal(again.crops, faces.crops)
    assert again.person.tolist() == faces.person.tolist()
    (tmp_path / "g.npz").write_bytes(b"no archive")
    np.savez(tmp_path / "h.npz", label=faces.label)
    for name in ("g.npz", "h.npz", "missing.npz"):
        with pytest.raises(DataError, match=f"{name}' holds no found faces"):
            FoundFaces.read(tmp_path / name)


def test_persons_are_read_from_a_table(tmp_path: Path) -> None:
    table = tmp_path / "persons.csv"
    table.write_text("path,label,person\na.jpg,fear,p1\nb.jpg,fear,p1\n")
    assert read_persons(table) == {"a.jpg": "p1", "b.jpg": "p1"}
    table.write_text("path,label\na.jpg,fear\n")
    with pytest.raises(ConfigError, match="lack the column 'person'"):
        read_persons(table)


class _Photographs:
    """A photograph with a face and one without: what the search needs of a prepared split."""

    class_names = LABELS
    source_files = ("face.jpg", "wall.jpg")
    votes = None
    label = np.array([1, 0])

    def __init__(self) -> None:
        with av.open(str(asset_path("demo.mp4"))) as container:
            self._face = next(container.decode(video=0)).to_ndarray(format="bgr24")

    def __len__(self) -> int:
        return 2

    def select(self, _: object) -> "_Photographs":
        return self

    def image(self, position: int) -> np.ndarray:
        return self._face if position == 0 else np.full((200, 200, 3), 90, dtype=np.uint8)


def test_faces_are_found_as_the_app_finds_them() -> None:
    split = _Photographs()
    faces = find_faces(split, size_px=32, persons={"face.jpg": "p7"}, is_degraded=False)  # type: ignore[arg-type]
    assert faces.is_found.tolist() == [True, False]
    assert faces.person.tolist() == ["p7", "wall.jpg"]
    assert faces.crops[0].std() > 10
    assert not faces.crops[1].any()
    assert 0 < faces.quality[0] <= 1
    degraded = find_faces(split, size_px=32, persons={}, is_degraded=True)  # type: ignore[arg-type]
    assert sorted(degraded.label.tolist()) == [0, 1]
    assert "clean" not in degraded.kind.tolist()
