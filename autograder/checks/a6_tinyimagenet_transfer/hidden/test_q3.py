"""A new head, a frozen backbone and groups of parameters, as the grader checks them."""

from __future__ import annotations

from deepmarks.checks import expect, question

SECTION = "section 3"
HEADS = {
    "resnet-like": "fc",
    "efficientnet-like": "classifier.1",
    "vgg-like": "classifier.5",
    "transformer-like": "heads.inner.head",
    "resnet18": "fc",
}
"""The last linear layer of the networks in probes.py."""


def check_head(student, kind, classes, inputs, device):
    """Fail unless replace_head puts a new layer in the head's place and leaves all else alone."""
    found = student.probe("with_new_head", kind, classes, device)
    expect(found["module"], "replace_head must return the model.", kind="not-returned", pointer=SECTION)
    expect(
        found["in place"],
        "replace_head returns another model than it was given, or a part of it: it changes the model in place and "
        "returns it.",
        kind="not-in-place",
        pointer=SECTION,
    )
    others = [name for name in found["changed"] if name != HEADS[kind]]
    expect(
        not others,
        "replace_head replaces more than the last linear layer, or another one.",
        detail=f"{kind}: replaced {found['changed']}, the head is {HEADS[kind]}",
        kind="other-layer",
        pointer=SECTION,
    )
    expect(
        not found["new"],
        "replace_head adds layers under new names: the new nn.Linear itself must take the place of the head, which may "
        "lie inside of other modules.",
        detail=f"{kind}: new {found['new']}, the head is {HEADS[kind]}",
        kind="new-name",
        pointer=SECTION,
    )
    expect(
        found["sizes"] == (inputs, classes),
        "The new head must be an nn.Linear with the inputs of the old one and num_classes outputs.",
        detail=f"{kind}: {HEADS[kind]} has the sizes {found['sizes']}, expected {(inputs, classes)}",
        kind="sizes",
        pointer=SECTION,
    )
    expect(found["bias"], "The new head needs a bias.", kind="bias", pointer=SECTION)
    expect(
        HEADS[kind] in found["changed"],
        "The head is still the old layer: a new one, with fresh weights, must take its place.",
        kind="same-layer",
        pointer=SECTION,
    )
    expect(found["rest kept"], "replace_head changes other weights.", kind="weights", pointer=SECTION)
    expect(
        found["shape"] == (2, classes),
        "The model with the new head does not give num_classes logits.",
        detail=f"{kind}: received the shape {found['shape']}",
        kind="output",
        pointer=SECTION,
    )
    expect(
        found["trainable"],
        "replace_head freezes parameters: that is freeze_backbone's work.",
        kind="frozen",
        pointer=SECTION,
    )


def check_frozen(student, kind, device):
    """Fail unless only the head can be trained, and the backbone computes the same whatever the mode."""
    found = student.probe("frozen", kind, device)
    head = HEADS[kind]
    own = [name for name in found["all"] if name.startswith(f"{head}.")]
    expect(
        found["trainable"] != found["all"],
        "freeze_backbone freezes nothing: set requires_grad to False.",
        kind="nothing-frozen",
        pointer=SECTION,
    )
    expect(
        set(own) <= set(found["trainable"]),
        "The head is frozen too: its weight and bias must stay trainable.",
        detail=f"{kind}: trainable are {found['trainable']}",
        kind="head-frozen",
        pointer=SECTION,
    )
    norms = [name for name in found["trainable"] if name not in own]
    expect(
        not norms,
        "Some parameters of the backbone still require gradients: everything but the last linear layer is frozen.",
        detail=f"{kind}: trainable are {norms}",
        kind="not-frozen",
        pointer=SECTION,
    )
    expect(
        found["same when frozen"],
        "freeze_backbone itself changes what the network computes in eval mode: it may neither replace nor reset a "
        "layer or its statistics.",
        kind="changed-at-once",
        pointer=SECTION,
    )
    expect(
        found["statistics kept"],
        "BatchNorm's stored statistics change in train mode: requires_grad = False does not stop them. "
        "Keep the BatchNorm layers in eval mode, also after the next model.train().",
        kind="statistics",
        pointer=SECTION,
    )
    expect(
        found["same in train mode"] and found["same after train again"],
        "In train mode the frozen backbone computes something else: its BatchNorm layers use the statistics of the "
        "batch. Keep them in eval mode, also after the next model.train().",
        kind="batch-statistics",
        pointer=SECTION,
    )
    expect(
        found["same at the end"],
        "The frozen backbone computes something else after it has been used in train mode.",
        kind="changed",
        pointer=SECTION,
    )


def check_groups(student, kind, freeze, lr_backbone, lr_head, decay):
    """Fail unless every trainable parameter is in one group, with the right learning rate and decay."""
    found = student.probe("grouped", kind, freeze, lr_backbone, lr_head, decay)
    groups = found["found"]
    expect(
        not found["twice"],
        "A parameter is in more than one group.",
        detail=f"{kind}: {found['twice'][:3]}",
        kind="twice",
        pointer=SECTION,
    )
    expect(not found["strangers"], "A group holds what is no parameter of the model.", kind="stranger", pointer=SECTION)
    extra = sorted(set(groups) - set(found["trainable"]))
    expect(
        not extra,
        "A frozen parameter is in a group: only those that require gradients belong there.",
        detail=f"{kind}: {extra[:3]}",
        kind="frozen-listed",
        pointer=SECTION,
    )
    missing = sorted(set(found["trainable"]) - set(groups))
    expect(
        not missing,
        "A trainable parameter is in no group.",
        detail=f"{kind}: {missing[:3]}",
        kind="missing",
        pointer=SECTION,
    )
    expect(
        not found["unsaid"],
        "A group does not name its lr or its weight_decay: the optimiser's own default would hold there.",
        detail=f"unnamed: {found['unsaid']}",
        kind="unnamed",
        pointer=SECTION,
    )
    expect(found["usable"], "torch's optimisers do not take these groups.", kind="unusable", pointer=SECTION)
    head = {name for name in groups if name.startswith(f"{HEADS[kind]}.")}
    lr_wrong = [n for n, (_, lr, _) in groups.items() if not same(lr, lr_head if n in head else lr_backbone)]
    swapped = lr_wrong and all(same(groups[n][1], lr_backbone if n in head else lr_head) for n in groups)
    expect(not swapped, "The learning rates of head and backbone are exchanged.", kind="lr-exchanged", pointer=SECTION)
    expect(
        not [name for name in lr_wrong if name in head],
        "A parameter of the head has not the learning rate lr_head.",
        detail=f"{kind}: {lr_wrong[:3]}",
        kind="lr-head",
        pointer=SECTION,
    )
    expect(
        not lr_wrong,
        "A parameter of the backbone has not the learning rate lr_backbone.",
        detail=f"{kind}: {lr_wrong[:3]}",
        kind="lr-backbone",
        pointer=SECTION,
    )
    plain = {n for n in groups if n in found["norms"] or n.endswith("bias")}
    decays = {name: value[2] for name, value in groups.items()}
    expect(
        not [n for n in plain if n.endswith("bias") and n not in found["norms"] and not same(decays[n], 0)],
        "A bias is decayed.",
        kind="bias-decay",
        pointer=SECTION,
    )
    expect(
        not [n for n in plain if not same(decays[n], 0)],
        "A parameter of a normalisation layer is decayed.",
        detail=f"{kind}: {[n for n in plain if not same(decays[n], 0)][:3]}",
        kind="norm-decay",
        pointer=SECTION,
    )
    wrong = [n for n in groups if n not in plain and not same(decays[n], decay)]
    expect(
        not wrong,
        "The weight of a linear layer or a convolution has not the weight decay asked for.",
        detail=f"{kind}: {wrong[:3]}",
        kind="decay",
        pointer=SECTION,
    )


def same(one, two):
    """Whether two settings are the same number, however it was stored."""
    return abs(one - two) <= 1e-9 * max(1.0, abs(two))


@question("q3", points=0.5)
def test_heads_deep_inside_are_replaced(student, rng, device):
    """replace_head finds the last of several linear layers, inside of other modules, and the fc of a ResNet-18."""
    for kind, inputs in (("vgg-like", 7), ("transformer-like", 6), ("resnet18", 512)):
        check_head(student, kind, int(rng.integers(2, 9)), inputs, device)


@question("q3", points=0.5)
def test_other_networks_are_frozen_as_well(student, device):
    """Networks with BatchNorm between linear layers, with other normalisations, and a ResNet-18 are frozen properly."""
    for kind in ("vgg-like", "transformer-like", "resnet18"):
        check_frozen(student, kind, device)


@question("q3", points=0.75, device="cpu")
def test_groups_of_other_networks_are_complete(student, rng):
    """param_groups is right for GroupNorm and LayerNorm, for a ResNet-18, and with some or most layers frozen."""
    lr, decay = float(rng.uniform(1e-4, 1e-3)), float(rng.uniform(1e-3, 1e-2))
    for kind in ("transformer-like", "vgg-like", "resnet18"):
        for freeze in ("nothing", "first", "backbone"):
            check_groups(student, kind, freeze, lr, 7 * lr, decay)
