"""`lanet-train judge`: several models side by side on several data sets, with intervals."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lanet_engines.base import Engine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "models",
        type=Path,
        nargs="+",
        metavar="MODEL",
        help="run folders, .onnx or compiled engines; differences are taken to the first",
    )
    parser.add_argument(
        "--crops", nargs="*", default=[], metavar="DIR", help="prepared data sets, as crops"
    )
    parser.add_argument(
        "--pictures",
        nargs="*",
        default=[],
        metavar="DIR",
        help="prepared data sets whose pictures go through the app's face search, alignment and "
        "quality; a missed face is an error",
    )
    parser.add_argument(
        "--persons",
        type=Path,
        metavar="FILE.csv",
        help="columns path and person: intervals are taken over persons, not pictures",
    )
    parser.add_argument(
        "--faces",
        type=Path,
        metavar="DIR",
        help="keep the faces found in --pictures here, and take them from here the next time",
    )
    parser.add_argument("--split", choices=("valid", "test", "train"), default="valid")
    parser.add_argument(
        "--duplicates-of",
        choices=("train", "valid", "test"),
        metavar="SPLIT",
        help="crops are also measured without those that are pixel for pixel in this split",
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder to write")
    parser.add_argument("--weights", choices=("best", "last"), help="of runs; default: best")
    parser.add_argument("--resamples", type=int, default=1000, help="of the bootstrap")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")


def run(args: argparse.Namespace) -> int:
    """Measure, write the report and print it."""
    from lanet_trainer.errors import ConfigError
    from lanet_trainer.evaluation.evaluate import model_details, open_model
    from lanet_trainer.evaluation.shift import to_markdown
    from lanet_trainer.training.fit import plain_command
    from lanet_trainer.training.run_folder import library_versions, source_commit, write_json

    if not (args.crops or args.pictures):
        raise ConfigError("Nothing to measure on: give --crops, --pictures or both.")
    if args.resamples < 1:
        raise ConfigError("--resamples must be at least 1.")
    engines: dict[str, Engine] = {}
    try:
        for path in args.models:
            if path.stem in engines:
                raise ConfigError(f"Two models are called '{path.stem}'; rename one.")
            engines[path.stem] = open_model(path, weights=args.weights)
        report = {
            "kind": "judge",
            "models": {name: model_details(engine) for name, engine in engines.items()},
            "sets": {**_judge_crops(engines, args), **_judge_pictures(engines, args)},
            "interval": f"95 % percentile bootstrap over persons, {args.resamples} resamples, "
            f"seed {args.seed}",
            "command": plain_command(sys.argv),
            "libraries": library_versions(),
            "commit": source_commit(),
        }
    finally:
        for engine in engines.values():
            engine.close()
    page = to_markdown(report)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        write_json(args.out / "judge.json", report)
        (args.out / "judge.md").write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"The report cannot be written: {error}") from error
    sys.stdout.write(page)
    return 0


def _judge_crops(engines: "dict[str, Engine]", args: argparse.Namespace) -> dict[str, Any]:
    """Measure on crops; there is no picture to take the quality of, so it counts as good."""
    import numpy as np

    from lanet_trainer.datasets.prepared import open_prepared
    from lanet_trainer.evaluation.evaluate import find_copies
    from lanet_trainer.evaluation.judging import Answers, select_judged
    from lanet_trainer.evaluation.predictions import predict
    from lanet_trainer.evaluation.shift import Pictures, compare
    from lanet_trainer.training.loader import EvalLoader

    sets: dict[str, Any] = {}
    persons = _persons(args)
    for folder in args.crops:
        dataset = open_prepared(folder)
        whole = dataset.split(args.split)
        split = whole.select(np.flatnonzero(whole.label >= 0))
        votes = None if split.votes is None else split.votes.astype(np.float64)
        answers = Answers(split.sample_ids, split.class_names, split.label, votes)
        models = {}
        for name, engine in engines.items():
            batches = EvalLoader(split, size_px=engine.spec.input_size_px)
            judged = select_judged(predict(engine, batches, split.sample_ids), answers)
            models[name] = Pictures(judged, judged.uncertainty <= engine.spec.max_uncertainty)
        names = [persons.get(file, file) for file in split.source_files]
        group = np.unique(names, return_inverse=True)[1]
        title = f"{dataset.name} {args.split}, crops"
        parts = {title: np.arange(len(split))}
        if args.duplicates_of is not None:
            copies = find_copies(split, dataset.split(args.duplicates_of))
            is_own = np.array([sample not in copies for sample in split.sample_ids])
            if is_own.any() and not is_own.all():
                own_title = f"{title}, without copies of {args.duplicates_of} images"
                parts[own_title] = np.flatnonzero(is_own)
        for part_title, index in parts.items():
            sets[part_title] = compare(
                {name: pictures.take(index) for name, pictures in models.items()},
                split.class_names,
                group[index],
                seed=args.seed,
                n_resamples=args.resamples,
            )
    return sets


def _judge_pictures(engines: "dict[str, Engine]", args: argparse.Namespace) -> dict[str, Any]:
    """Measure end to end: the faces the app finds, with their quality."""
    import numpy as np

    from lanet_live.expression.uncertainty import softmax
    from lanet_trainer.evaluation.found_faces import logits_of
    from lanet_trainer.evaluation.kept_faces import find_or_read
    from lanet_trainer.evaluation.shift import Pictures, compare
    from lanet_trainer.metrics import Judged

    sets: dict[str, Any] = {}
    size_px = next(iter(engines.values())).spec.input_size_px
    for folder in args.pictures:
        faces = find_or_read(
            folder, split=args.split, size_px=size_px, persons=_persons(args), keep_in=args.faces
        )
        votes = faces.votes if np.isfinite(faces.votes).all() else None
        models = {}
        for name, engine in engines.items():
            spec = engine.spec
            probabilities = softmax(logits_of(engine, faces), temperature=spec.temperature)
            judged = Judged(probabilities, faces.label, votes)
            is_reliable = faces.quality >= spec.min_quality
            is_reliable &= judged.uncertainty <= spec.max_uncertainty
            models[name] = Pictures(judged, is_reliable)
        title = f"{Path(folder).name} {args.split}, end to end"
        sets[title] = compare(
            models,
            faces.class_names.tolist(),
            np.unique(faces.person, return_inverse=True)[1],
            seed=args.seed,
            n_resamples=args.resamples,
        )
    return sets


def _persons(args: argparse.Namespace) -> dict[str, str]:
    from lanet_trainer.evaluation.found_faces import read_persons

    return {} if args.persons is None else read_persons(args.persons)
