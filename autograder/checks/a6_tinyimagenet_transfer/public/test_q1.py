"""Moving files into ImageFolder's layout, as students receive the checks."""

from __future__ import annotations

from deepmarks.checks import expect, question

SECTION = "section 1"


def content(*names):
    """A different content for each file."""
    return "|".join(names).encode()


def annotations(rows):
    """val_annotations.txt for pairs (file name, wnid)."""
    return "".join(f"{name}\t{wnid}\t0\t3\t61\t5{number}\n" for number, (name, wnid) in enumerate(rows)).encode()


def val_tree(rows, there=None, extra=()):
    """The files of val/ and a bit of train/; `there`: those of the listed ones that exist."""
    files = {"val/val_annotations.txt": annotations(rows), "train/n1/images/n1_0.JPEG": content("n1", "0")}
    names = [name for name, _ in rows] if there is None else there
    return files | {f"val/images/{name}": content(name) for name in [*names, *extra]}


def val_moved(files, rows, extra=()):
    """What is right: each listed file that is there in the folder of its class."""
    owner = dict(rows)
    moved = {}
    for path, data in files.items():
        name = path.rpartition("/")[2]
        moved[f"val/{owner[name]}/{name}" if path.startswith("val/images/") and name in owner else path] = data
    return moved


def train_tree(classes, count=3):
    """The files of train/: the same names in each class, and a boxes file."""
    files = {"val/images/val_0.JPEG": content("val_0"), "val/val_annotations.txt": annotations([("val_0.JPEG", "n1")])}
    for wnid in classes:
        files[f"train/{wnid}/{wnid}_boxes.txt"] = content(wnid, "boxes")
        for number in range(count):
            files[f"train/{wnid}/images/{number}.{'png' if number == 1 else 'JPEG'}"] = content(wnid, str(number))
    return files


def train_moved(files):
    """What is right: everything out of images/, and no boxes files."""
    return {
        path.replace("/images/", "/") if path.startswith("train/") else path: data
        for path, data in files.items()
        if not path.endswith("_boxes.txt")
    }


def judge(found, wanted, part, empty=()):
    """Fail unless the files and the empty folders are those wanted, with what went wrong."""
    files = found["files"]
    expect(
        all(found["none"]),
        "The function must return None: it does its work in the folder.",
        kind="not-none",
        pointer=SECTION,
    )
    expect(
        "val/val_annotations.txt" in files,
        "val_annotations.txt is gone: it must stay where it is.",
        kind="annotations-gone",
        pointer=SECTION,
    )
    other = "train/" if part == "val" else "val/"
    expect(
        {p: d for p, d in files.items() if p.startswith(other)}
        == {p: d for p, d in wanted.items() if p.startswith(other)},
        "The other half of the data set was changed too: reorganise_val works in val/, reorganise_train in train/.",
        kind="other-part",
        pointer=SECTION,
    )
    lost = sorted(set(wanted.values()) - set(files.values()))
    expect(
        not lost,
        "A file is lost: its content is nowhere any more. Move files, and delete only what the question names.",
        detail=f"lost: {lost[:3]}",
        kind="lost",
        pointer=SECTION,
    )
    boxes = [path for path in files if path.endswith("_boxes.txt") and path.startswith("train/")]
    expect(
        not boxes or part == "val",
        "A boxes file is left: <wnid>_boxes.txt must be removed in every class.",
        detail=f"left: {boxes[:3]}",
        kind="boxes",
        pointer=SECTION,
    )
    left = [path for path in files if "/images/" in path and path not in wanted and path.startswith(part)]
    expect(
        not left,
        "Files that should have been moved are still in images/.",
        detail=f"left: {left[:3]}",
        kind="not-moved",
        pointer=SECTION,
    )
    wrong = sorted(set(files) - set(wanted))
    expect(
        not wrong,
        "There are files in the wrong place, or with another name, or twice.",
        detail=f"too much: {wrong[:3]}; missing: {sorted(set(wanted) - set(files))[:3]}",
        kind="place",
        pointer=SECTION,
    )
    expect(
        files == wanted,
        "The files are in their places, but one has the content of another, or some are missing.",
        detail=f"missing: {sorted(set(wanted) - set(files))[:3]}",
        kind="content",
        pointer=SECTION,
    )
    folders = [path for path in found["empty"] if path not in empty]
    images = [path for path in folders if path.endswith("images")]
    expect(
        not images,
        "The emptied folder images is still there: remove it.",
        detail=f"empty: {images[:3]}",
        kind="images-left",
        pointer=SECTION,
    )
    expect(
        not folders,
        "There is a folder for a class without any file: ImageFolder refuses empty ones. Make it when there is a file.",
        detail=f"empty: {folders[:3]}",
        kind="empty-class",
        pointer=SECTION,
    )


def run(student, which, files, *, runs=1, text=False, after=0, folders=()):
    """The folder after the function."""
    return student.probe("reorganised", which, files, list(folders), runs, text, after)


ROWS = [("val_0.JPEG", "n03"), ("val_1.JPEG", "n01"), ("val_2.JPEG", "n03"), ("val_3.JPEG", "n02")]


@question("q1", points=0.5)
def test_val_is_sorted_into_classes(student):
    """Each validation picture goes to the folder of its class; val/images is gone, the annotations are there."""
    files = val_tree(ROWS)
    for text in (False, True):
        judge(run(student, "reorganise_val", files, text=text), val_moved(files, ROWS), "val")


@question("q1", points=0.5)
def test_train_is_flattened(student):
    """Training pictures move up into the folder of their class; boxes files and emptied folders are gone."""
    files = train_tree(["n01", "n02", "n03"])
    for text in (False, True):
        judge(run(student, "reorganise_train", files, text=text), train_moved(files), "train")


@question("q1", points=0.5)
def test_missing_files_and_second_runs_do_no_harm(student):
    """A listed file that is missing is ignored, its class gets no empty folder; a second run changes nothing."""
    rows = [*ROWS, ("val_4.JPEG", "n04"), ("val_5.JPEG", "n01")]
    files = val_tree(rows, there=["val_0.JPEG", "val_1.JPEG", "val_2.JPEG", "val_3.JPEG"])
    judge(run(student, "reorganise_val", files), val_moved(files, rows), "val")
    judge(run(student, "reorganise_val", files, runs=2), val_moved(files, rows), "val")
    files = train_tree(["n01", "n02"])
    judge(run(student, "reorganise_train", files, runs=2), train_moved(files), "train")
