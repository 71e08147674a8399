# Folders with os and shutil, works through sets of lines; changes into the folder on the way; moves by copying first.
import os
import shutil


def reorganise_val(root):
    here = os.path.join(str(root), "val")
    with open(os.path.join(here, "val_annotations.txt")) as file:
        table = dict(line.split()[:2] for line in file if line.strip())
    images = os.path.join(here, "images")
    if not os.path.isdir(images):
        return
    for name in os.listdir(images):
        if name in table:
            os.makedirs(os.path.join(here, table[name]), exist_ok=True)
            shutil.copy2(os.path.join(images, name), os.path.join(here, table[name], name))
            os.remove(os.path.join(images, name))
    if not os.listdir(images):
        os.rmdir(images)


def reorganise_train(root):
    train = os.path.join(str(root), "train")
    for wnid in os.listdir(train):
        images = os.path.join(train, wnid, "images")
        boxes = os.path.join(train, wnid, wnid + "_boxes.txt")
        if os.path.exists(images):
            for name in os.listdir(images):
                shutil.move(os.path.join(images, name), os.path.join(train, wnid))
            os.rmdir(images)
        if os.path.exists(boxes):
            os.remove(boxes)
