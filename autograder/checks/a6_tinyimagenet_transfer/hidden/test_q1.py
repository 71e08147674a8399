"""Moving files into ImageFolder's layout, as the grader checks it."""

from __future__ import annotations

from deepmarks.checks import expect, question

SECTION = "section 1"


def content(*names):
    """A different content for each file."""
    return "|".join(names).encode()


def annotations(rows):
    """val_annotations.txt for pairs (file name, wnid), with an empty line at the end."""
    return "".join(f"{name}\t{wnid}\t0\t3\t61\t5{number}\n" for number, (name, wnid) in enumerate(rows)).encode()


def wnids(rng, count):
    """Class names as WordNet has them."""
    return [f"n{number:08d}" for number in sorted(rng.choice(10**8, size=count, replace=False).tolist())]


def judge(found, wanted):
    """Fail unless exactly the wanted files are there and no folder is empty."""
    files = found["files"]
    expect(
        "val/val_annotations.txt" in files or "val/val_annotations.txt" not in wanted,
        "val_annotations.txt is gone: it must stay where it is.",
        kind="annotations-gone",
        pointer=SECTION,
    )
    expect(
        not set(wanted.values()) - set(files.values()),
        "A file is lost: its content is nowhere any more. Move files, and delete only what the question names.",
        kind="lost",
        pointer=SECTION,
    )
    expect(
        not [path for path in files if "/images/" in path and path not in wanted],
        "Files are still in images/ after the last run: every run must do what is left to do.",
        kind="not-moved",
        pointer=SECTION,
    )
    expect(
        not [path for path in files if path.endswith("_boxes.txt") and path not in wanted],
        "A boxes file is left after the last run: every run must do what is left to do.",
        kind="boxes",
        pointer=SECTION,
    )
    expect(
        files == wanted,
        "There are files in the wrong place, or with another name or content, or twice.",
        detail=f"too much {sorted(set(files) - set(wanted))[:3]}, missing {sorted(set(wanted) - set(files))[:3]}",
        kind="place",
        pointer=SECTION,
    )
    expect(
        not found["empty"],
        "An empty folder is left, images or that of a class.",
        detail=str(found["empty"][:3]),
        kind="empty",
        pointer=SECTION,
    )


def run(student, which, files, after=0, runs=1):
    """The folder after the function."""
    return student.probe("reorganised", which, files, [], runs, bool(after % 2), after)


@question("q1", points=0.5)
def test_val_survives_an_interruption(student, rng):
    """Interrupted after some moves and run again, reorganise_val ends as if nothing had happened."""
    classes = wnids(rng, 4)
    rows = [(f"val_{n}.JPEG", classes[n % 4]) for n in rng.permutation(11).tolist()]
    files = {"val/val_annotations.txt": annotations(rows)}
    files |= {f"val/images/{name}": content(name) for name, _ in rows}
    wanted = {f"val/{wnid}/{name}": content(name) for name, wnid in rows}
    wanted["val/val_annotations.txt"] = files["val/val_annotations.txt"]
    for after in (1, 4, 10, 11, 12):
        judge(run(student, "reorganise_val", files, after), wanted)
    # A run that somebody else's program began: some pictures are in their places.
    begun = dict(files)
    for name, wnid in rows[::2]:
        begun[f"val/{wnid}/{name}"] = begun.pop(f"val/images/{name}")
    judge(run(student, "reorganise_val", begun), wanted)


@question("q1", points=0.5)
def test_train_survives_an_interruption(student, rng):
    """Interrupted after some moves and run again, reorganise_train ends as if nothing had happened."""
    files, wanted = {}, {}
    for wnid in wnids(rng, 3):
        files[f"train/{wnid}/{wnid}_boxes.txt"] = content(wnid, "boxes")
        for number in range(4):
            files[f"train/{wnid}/images/picture_{number}.JPEG"] = content(wnid, str(number))
            wanted[f"train/{wnid}/picture_{number}.JPEG"] = content(wnid, str(number))
    # Twelve moves, three folders and three boxes files: interrupted between any two of these, in whatever order.
    for after in range(1, 19):
        judge(run(student, "reorganise_train", files, after), wanted)
    begun = {
        path.replace("/images/", "/") if "picture_2" in path else path: data
        for path, data in files.items()
        if not path.startswith("train/n0") or not path.endswith("_boxes.txt")
    }
    judge(run(student, "reorganise_train", begun, runs=2), wanted)


@question("q1", points=0.5)
def test_files_that_nobody_listed_are_kept(student, rng):
    """Files in val/images that are not listed stay there; notes in a class folder of train stay as well."""
    classes = wnids(rng, 3)
    rows = [(f"val_{n}.JPEG", classes[n % 3]) for n in range(6)]
    files = {"val/val_annotations.txt": annotations(rows)}
    files |= {f"val/images/{name}": content(name) for name, _ in rows}
    files |= {"val/images/val_99.JPEG": content("not listed"), "val/readme.txt": content("readme")}
    wanted = {path: data for path, data in files.items() if path not in {f"val/images/{n}" for n, _ in rows}}
    wanted |= {f"val/{wnid}/{name}": content(name) for name, wnid in rows}
    judge(run(student, "reorganise_val", files, runs=2), wanted)
    files = {f"train/{wnid}/images/a.JPEG": content(wnid, "a") for wnid in classes}
    files |= {f"train/{wnid}/{wnid}_boxes.txt": content(wnid, "boxes") for wnid in classes}
    files[f"train/{classes[1]}/notes.txt"] = content("notes")
    wanted = {f"train/{wnid}/a.JPEG": content(wnid, "a") for wnid in classes}
    wanted[f"train/{classes[1]}/notes.txt"] = content("notes")
    judge(run(student, "reorganise_train", files, runs=2), wanted)
