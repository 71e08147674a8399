"""By-hand questions: what is forbidden is seen in the source or while it runs, and nothing else is."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch

from deepmarks.checks import Broken, Cause
from deepmarks.checks.policy import GROUPS, OperatorPolicy, source_violation
from deepmarks.checks.watch import watch_operators

HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n"

FORBIDDEN = {
    "torch.softmax": ("softmax", "def f(x):\n    return torch.softmax(x, -1)"),
    "F.softmax": ("softmax", "def f(x):\n    return F.softmax(x, -1)"),
    "method": ("softmax", "def f(x):\n    return x.softmax(-1)"),
    "module": ("softmax", "def f(x):\n    return nn.Softmax(-1)(x)"),
    "log_softmax": ("softmax", "def f(x):\n    return F.log_softmax(x, -1).exp()"),
    "import from": ("softmax", "from torch import softmax as s\ndef f(x):\n    return s(x, -1)"),
    "import inside": ("softmax", "def f(x):\n    from torch.nn.functional import softmax\n    return softmax(x, -1)"),
    "helper": ("softmax", "def helper(x):\n    return x.softmax(-1)\ndef f(x):\n    return helper(x)"),
    "alias": ("softmax", "g = torch.softmax\ndef f(x):\n    return g(x, -1)"),
    "base class": ("attention", "class f(nn.MultiheadAttention):\n    pass"),
    "sdpa": ("attention", "def f(x):\n    return F.scaled_dot_product_attention(x, x, x)"),
    "importlib": ("sklearn", "import importlib\ndef f(x):\n    return importlib.import_module('sk' + 'learn')"),
    "dunder import": ("sklearn", "def f(x):\n    return __import__('sklearn')"),
    "sklearn": ("sklearn", "from sklearn.cluster import KMeans\ndef f(x):\n    return KMeans(3).fit(x)"),
    "backward": ("autograd", "def f(x):\n    y = x.sum()\n    y.backward()\n    return x.grad"),
    "torch itself": ("torch", "def f(x):\n    return torch.tensor(x).numpy()"),
    "ctc": ("ctc", "def f(x):\n    return nn.CTCLoss()(x)"),
    "star of the module": (
        "sklearn_estimators",
        "from sklearn.cluster import *\ndef f(x):\n    return KMeans(3).fit(x)",
    ),
    "star of a parent": ("softmax", "from torch.nn.functional import *\ndef f(x):\n    return softmax(x, -1)"),
    "star below": ("sklearn", "from sklearn.cluster import *\ndef f(x):\n    return KMeans(3).fit(x)"),
    "bound by for": ("softmax", "def g(x):\n    return F.softmax(x, -1)\nfor f in (g,):\n    pass"),
    "bound by with": ("softmax", "def g(x):\n    return F.softmax(x, -1)\nwith context(g) as f:\n    pass"),
    "bound by a walrus": ("softmax", "def g(x):\n    return F.softmax(x, -1)\nprint(f := g)"),
    "bound before an inner function of the same name": (
        "softmax",
        "def f(x):\n    return F.softmax(x, -1)\nif True:\n    def other():\n        def f(x):\n            return x\n",
    ),
    "second of two imports": (
        "sklearn_estimators",
        "def f(x):\n    import sys, sklearn.cluster\n    return sys.modules",
    ),
    "second of two names": ("softmax", "def f(x):\n    from torch import exp, softmax\n    return exp(x)"),
    "module under another name": (
        "sklearn_estimators",
        "import sklearn.cluster\nsk = sklearn\ndef f(x):\n    return sk.cluster.KMeans(3).fit(x)",
    ),
    "module under a local name": ("softmax", "def f(x):\n    n = torch.nn\n    return n.Softmax(-1)(x)"),
    "getattr": ("softmax", "def f(x):\n    return getattr(F, 'soft' + 'max')(x, -1)"),
    "the module's dictionary": ("softmax", "def f(x):\n    return F.__dict__['soft' + 'max'](x, -1)"),
    "code in a string": (
        "sklearn_estimators",
        "def f(x):\n    exec('from sklearn.clu' + 'ster import KMeans as K', n := {})\n    return n['K'](3).fit(x)",
    ),
    "a library's own importer": (
        "sklearn_estimators",
        "import pkgutil\ndef f(x):\n    return pkgutil.resolve_name('sk' + 'learn.cluster:KMeans')(3).fit(x)",
    ),
    "another process": ("sklearn", "import subprocess\ndef f(x):\n    return subprocess.run(['python3', '-c', x])"),
    "all estimators": (
        "sklearn_estimators",
        "from sklearn.utils import all_estimators\ndef f(x):\n    return dict(all_estimators())",
    ),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_forbidden_source_is_seen(name):
    group, source = FORBIDDEN[name]
    violation = source_violation(HEAD + source, ["f"], [group])
    assert violation is not None
    assert violation.cause is Cause.FORBIDDEN
    assert "without" in violation.sentence


ALLOWED = {
    "a long sum": ("sklearn", "def f(x):\n    return " + "+".join("1" * 900)),
    "a long number": ("sklearn", "def f(x):\n    return 0x" + "f" * 5000),
    "a long chain of attributes": ("sklearn", "def f(x):\n    return x" + ".a" * 900),
    "own softmax": ("softmax", "def softmax(x, dim):\n    return x.exp()\ndef f(x):\n    return softmax(x, -1)"),
    "own softmax over an import": (
        "softmax",
        "from torch.nn.functional import *\nfrom torch import softmax\n"
        "def softmax(x, dim):\n    return x.exp()\ndef f(x):\n    return softmax(x, -1)",
    ),
    "own method": ("softmax", "class f(nn.Module):\n    def forward(self, x):\n        return self.softmax(x)"),
    "another question's": ("softmax", "def g(x):\n    return x.softmax(-1)\ndef f(x):\n    return x.exp()"),
    "logsumexp": ("softmax", "def f(x):\n    return (x - torch.logsumexp(x, -1, True)).exp()"),
    "a replaced definition": ("softmax", "def f(x):\n    return x.softmax(-1)\ndef f(x):\n    return x.exp()"),
    "own backward function": ("autograd", "def backward(x):\n    return x\ndef f(x):\n    return backward(x)"),
    "an unused import": ("torch", "def f(x):\n    return x + 1"),
    "an unused star": ("sklearn_estimators", "from sklearn.cluster import *\ndef f(x):\n    return x + 1"),
    "a star of something else": ("softmax", "from numpy import *\ndef f(x):\n    return exp(x) / exp(x).sum()"),
    "evaluation mode": ("softmax", "def f(model):\n    return model.eval()"),
    "an attribute by name": ("softmax", "def f(x):\n    return getattr(x, 'T', x)"),
    "a module under another name": ("softmax", "n = torch.nn\ndef f(x):\n    return n.ReLU()(x)"),
    "scikit-learn's splits": (
        "sklearn_estimators",
        "from sklearn.model_selection import *\ndef f(x):\n    return train_test_split(x)",
    ),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_allowed_source_is_left_alone(name):
    group, source = ALLOWED[name]
    assert source_violation(HEAD + source, ["f"], [group]) is None


def test_what_another_question_uses_costs_nothing_here():
    source = HEAD + "def g(x):\n    return x.softmax(-1)\ndef f(x):\n    return g(x)"
    assert source_violation(source, ["f"], ["softmax"]) is not None
    assert source_violation(source, ["f"], ["softmax"], others=["f", "g"]) is None
    assert source_violation(source, ["g"], ["softmax"], others=["f", "g"]) is not None


RUNS = {
    "getattr": ("softmax", lambda x: getattr(torch, "soft" + "max")(x, -1)),
    "operator": ("softmax", lambda x: torch.ops.aten._softmax(x, -1, False)),
    "module instance": ("softmax", torch.nn.Softmax(-1)),
    "log_softmax": ("softmax", lambda x: torch.nn.LogSoftmax(-1)(x)),
    "attention": ("attention", lambda x: torch.nn.functional.scaled_dot_product_attention(x, x, x)),
    "autograd": ("autograd", lambda x: torch.autograd.grad(x.requires_grad_().sum(), x)),
    "backward": ("autograd", lambda x: x.requires_grad_().sum().backward()),
    "any torch": ("torch", lambda x: torch.ones(2) + 1),
}


@pytest.mark.parametrize("name", RUNS)
def test_forbidden_operators_are_seen_when_they_run(name):
    group, function = RUNS[name]
    policy, seen = OperatorPolicy([group]), set()
    with watch_operators(policy.watch, seen):
        function(torch.randn(2, 3, 4))
    with pytest.raises(Exception, match="without"):
        policy.check(seen)


def test_allowed_operators_are_not_held_against_anyone():
    policy, seen = OperatorPolicy(["softmax", "attention", "ctc"]), set()
    x = torch.randn(3, 4, requires_grad=True)
    with watch_operators(policy.watch, seen):
        e = (x - x.amax(-1, keepdim=True)).exp()
        (e / e.sum(-1, keepdim=True)).sum().backward()
    assert not seen


def test_a_stand_in_is_not_held_against_the_student():
    seen: set[str] = set()
    watching = watch_operators(OperatorPolicy(["softmax"]).watch, seen)
    with watching, watching.pause():
        torch.randn(3).softmax(-1)
    assert not seen


def test_forbidden_classes_are_seen_inside_a_module():
    with pytest.raises(Exception, match="own attention"):
        OperatorPolicy(["attention"]).check_classes("Net", ["torch.nn.modules.activation.MultiheadAttention"])
    OperatorPolicy(["attention"]).check_classes("Net", ["torch.nn.modules.linear.Linear"])


def test_every_group_says_what_it_forbids():
    assert all(group.what and group.names for group in GROUPS.values())


def test_an_inner_function_whose_names_stand_outside_is_read():
    source = "for _ in range(1):\n    def f(x):\n        y = 0\n        def g():\n"
    source += "            nonlocal y\n            y = x\n        g()\n        return y\n"
    assert source_violation(source, ["f"], ["softmax"]) is None


def seen_while(group, run):
    policy, seen = OperatorPolicy([group]), set()
    with watch_operators(policy.watch, seen):
        run()
    with pytest.raises(Broken) as caught:
        policy.check(seen)
    return caught.value.cause


def test_scikit_learn_is_seen_at_work_however_it_was_reached():
    cluster = pytest.importorskip("sklearn.cluster")
    points = np.array([[0.0], [0.1], [5.0], [5.1]])
    fits = [
        lambda: cluster.KMeans(2, n_init=1).fit(points),
        lambda: cluster.kmeans_plusplus(points, 2),
        lambda: importlib.import_module("sklearn.decomposition").PCA(1).fit(points),
    ]
    for fit in fits:
        assert seen_while("sklearn_estimators", fit) is Cause.FORBIDDEN
    assert seen_while("sklearn", fits[0]) is Cause.FORBIDDEN
    policy, seen = OperatorPolicy(["sklearn_estimators"]), set()
    scaler = importlib.import_module("sklearn.preprocessing").StandardScaler()
    with watch_operators(policy.watch, seen):
        scaler.fit(points)
    policy.check(seen)
    fits[0]()
    policy.check(seen)


def test_forward_mode_is_off_while_gradients_are_to_be_written_by_hand():
    from torch.autograd import forward_ad

    def tangent():
        with forward_ad.dual_level():
            return forward_ad.unpack_dual(forward_ad.make_dual(torch.ones(2), torch.ones(2)).exp()).tangent

    with watch_operators(OperatorPolicy(["autograd"]).watch, set()):
        assert tangent() is None
    assert tangent() is not None
