"""assert_matches: what counts as equal, what is said when it is not, and what never is said."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from deepmarks.compare import Diagnosis, Mismatch, assert_matches, diagnose

ROWS = np.random.default_rng(1).standard_normal((5, 3))


def kind(actual, expected, **options):
    found = diagnose(actual, expected, **options)
    return found.kind if found else None


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (1.5, np.float64(1.5)),
        (np.float32(1.5), 1.5),
        (np.array(1.5), 1.5),
        (torch.tensor(1.5), 1.5),
        (1.5, torch.tensor(1.5)),
        (16, 16.0),
        (np.int64(3), 3),
        (torch.tensor(True), True),
        (True, np.array(True)),
        (np.bool_(False), False),
        ([1, 2, 3], (1, 2, 3)),
        ((1, 2), [1, 2]),
        ([1, 2], [1.0, 2.0]),
        ({"a": [ROWS, {"b": None}]}, {"a": [ROWS, {"b": None}]}),
        (None, None),
        ("abc", "abc"),
        (b"abc", b"abc"),
        ({1, "x"}, {"x", 1}),
        ([], []),
        (torch.float32, torch.float32),
        (np.dtype("int64"), np.dtype("int64")),
        (10**30, 10**30),
        (np.array([np.nan, np.inf, -np.inf]), np.array([np.nan, np.inf, -np.inf])),
        (complex(1, np.nan), complex(1, np.nan)),
        (torch.zeros(2, 0), torch.zeros(2, 0)),
        (torch.ones(3, dtype=torch.bfloat16), torch.ones(3, dtype=torch.bfloat16)),
        (torch.eye(3).to_sparse(), torch.eye(3)),
    ],
)
def test_equal_results_match(actual, expected):
    assert diagnose(actual, expected) is None


@pytest.mark.parametrize(
    ("actual", "expected", "name"),
    [
        (3.0, 3, "different-dtype"),
        (True, 1, "different-type"),
        (1, True, "different-type"),
        ([1.0, 2.0], [1, 2], "different-dtype"),
        (np.zeros(3), torch.zeros(3, dtype=torch.float64), "different-type"),
        (torch.zeros(3), np.zeros(3, dtype=np.float32), "different-type"),
        ([0.0, 0.0], np.zeros(2), "different-type"),
        (None, 1.0, "none"),
        (1.0, None, "different-type"),
        ("abd", "abc", "different-text"),
        ("dcba", "abcd", "reversed"),
        ("ABC", "abc", "letter-case"),
        ("abc\n", "abc", "white-space"),
        ({1}, {1, 2}, "different-elements"),
        (np.zeros(3, np.float32), np.zeros(3), "float32-for-float64"),
        (np.zeros(3, np.int64), np.zeros(3), "different-dtype"),
        (torch.float64, torch.float32, "different-values"),
        (False, True, "wrong-truth"),
        ((1, 2, 3), (1, 2), "different-length"),
        (10**30 + 1, 10**30, "different-values"),
        (2**53 + 1, 2**53, "different-values"),
        pytest.param(10**400, 3, "different-values", id="too-large-for-a-float"),
        (np.array([np.nan]), np.array([0.0]), "nan"),
        (np.array([0.0]), np.array([np.nan]), "nan-missing"),
        (np.array([-np.inf]), np.array([np.inf]), "infinity-sign"),
        (np.array(["a", "b"]), np.zeros(2), "different-type"),
        (np.zeros((0, 3)), np.zeros((3, 0)), "different-shape"),
        (np.zeros(3, np.longdouble) + 1, np.zeros(3), "different-dtype"),
        (torch.ones(3).to(torch.float8_e5m2), torch.ones(3), "different-dtype"),
    ],
)
def test_different_results_are_told_apart(actual, expected, name):
    found = diagnose(actual, expected)
    assert found is not None
    assert found.kind == name


def test_the_sentence_names_the_kind_of_container():
    found = diagnose(np.zeros(3), torch.zeros(3), what="pe")
    assert found is not None
    assert found.sentence == "pe is a NumPy array where a torch tensor was expected."


def test_dtype_false_leaves_dtypes_out():
    assert diagnose(ROWS.astype(np.float32), ROWS, dtype=False) is None
    assert kind(ROWS.astype(np.float16), ROWS, dtype=False) is not None  # half precision is no excuse
    assert diagnose(np.arange(3), np.arange(3.0), dtype=False) is None


def test_a_wrong_dtype_does_not_hide_the_mistake_in_the_values():
    assert kind((-ROWS).astype(np.float32), ROWS) == "negated"


def test_zeros_do_not_pass_for_small_gradients():
    small = torch.tensor(1e-6 * ROWS, dtype=torch.float32)
    assert kind(torch.zeros_like(small), small) == "all-zeros"


def test_tolerances_can_be_given():
    assert diagnose(ROWS + 1e-3, ROWS, atol=1e-2) is None
    assert diagnose(ROWS * 1.001, ROWS, rtol=1e-2) is None
    assert kind(ROWS * (1 + 1e-5), ROWS) is not None


def test_a_part_is_named_by_its_path():
    found = diagnose({"dW1": ROWS.T, "db": 1.0}, {"dW1": ROWS, "db": 1.0}, what="gradients")
    assert found is not None
    assert found.sentence == "gradients['dW1'] is the right one transposed."


def test_prose_begins_with_a_capital_and_names_do_not():
    assert diagnose(ROWS.T, ROWS).sentence == "The result is the right one transposed."
    assert diagnose(ROWS.T, ROWS, what="dW1").sentence == "dW1 is the right one transposed."


def test_the_sentence_for_a_sum_is_the_promised_one():
    found = diagnose(5 * ROWS[0], ROWS[0], what="db1", batch=5)
    assert found.sentence == (
        "db1 is N times too large: it looks as if you summed over the batch where the mean is asked for."
    )


def test_axes_are_called_by_their_names():
    found = diagnose(ROWS[::-1], ROWS, what="out", axes=("time", "feature"))
    assert found.sentence == "out is in reverse order along the time axis."


def test_unexplained_values_are_described_in_the_detail_only():
    wrong = ROWS + np.random.default_rng(2).standard_normal((5, 3))
    found = diagnose(wrong, ROWS, what="W")
    assert (found.kind, found.sentence) == ("different-values", "W has other values than expected.")
    index = np.unravel_index(np.argmax(np.abs(wrong - ROWS)), ROWS.shape)
    for text in ("15 of 15", f"[{index[0]}, {index[1]}]", f"{ROWS[index]:.9g}", f"{wrong[index]:.9g}"):
        assert text in found.detail


def test_candidates_come_first_and_may_be_functions():
    wrong = {"a gradient of the loss instead": ROWS, "the gradient without the factor 2": lambda: -ROWS}
    found = diagnose(-ROWS, ROWS, what="dw", candidates=wrong)
    assert found == Diagnosis("candidate", "dw looks like the gradient without the factor 2.", found.detail)


def test_candidates_are_not_evaluated_for_a_right_answer():
    assert diagnose(ROWS, ROWS, candidates={"x": lambda: 1 / 0}) is None


def test_a_candidate_may_have_another_shape_or_be_a_single_number():
    assert kind(ROWS, ROWS.sum(0), candidates={"the unreduced gradient": ROWS}) == "candidate"
    assert kind(3.0, 4.0, candidates={"the loss without the square": 3.0}) == "candidate"


def test_a_candidate_may_explain_one_part_of_a_result():
    right = {"dW1": ROWS, "dW2": ROWS.T @ ROWS}
    wrong = {"dW1": ROWS**3, "dW2": ROWS.T @ ROWS}
    got = {"dW1": ROWS**3, "dW2": -ROWS.T @ ROWS}
    for candidate in (wrong, ROWS**3):
        found = diagnose(got, right, what="g", candidates={"a missing derivative": candidate})
        assert found.sentence == "g['dW1'] looks like a missing derivative."


def test_exchanged_entries_are_found_whatever_their_shapes():
    a, b = ROWS, ROWS.T @ ROWS
    found = diagnose({"dW1": b, "dW2": a, "n": 1}, {"dW1": a, "dW2": b, "n": 1}, what="g")
    assert (found.kind, found.sentence) == ("exchanged", "g['dW1'] and g['dW2'] are exchanged.")
    assert kind((0.25001, 0.75002, 3), (0.75002, 0.25001, 3)) == "exchanged"
    for wrong, right in (((2, 1), (1, 2)), ((0.5, 0.25), (0.25, 0.5))):  # such numbers meet by accident
        assert kind(wrong, right) != "exchanged"


def test_an_entry_in_the_place_of_another_is_found():
    a, b = ROWS, ROWS**2
    assert kind((b, b), (a, b)) == "wrong-entry"
    assert kind((b + 1e-3 * ROWS, b), (a, b)) != "wrong-entry"


def test_missing_and_unknown_entries_are_named():
    right = {"dW1": ROWS, "layer.0.weight": ROWS}
    assert diagnose({"dW1": ROWS}, right, what="g").sentence == "g lacks the entry 'layer.0.weight'."
    found = diagnose({**right, "leak: 0.123": 1}, right, what="g")
    assert (found.kind, found.sentence) == ("unknown-entry", "g has an entry that is not asked for.")
    assert "leak: 0.123" in found.detail


def test_an_object_where_data_was_expected():
    opaque = SimpleNamespace(handle=3, type_name="student.leak_0_123")
    found = diagnose(opaque, ROWS, what="out")
    assert (found.kind, "leak" in found.sentence, "leak" in found.detail) == ("not-data", False, True)
    known = diagnose(SimpleNamespace(handle=3, type_name="builtins.generator"), [1], what="out")
    assert known.sentence.startswith("out is a generator")


def test_an_expected_value_that_is_no_data_is_the_authors_mistake():
    with pytest.raises(TypeError, match="no data"):
        diagnose(1, object())


def test_mismatch_carries_all_four_parts():
    with pytest.raises(Mismatch) as caught:
        assert_matches(-ROWS, ROWS, what="W", pointer="section 4")
    error = caught.value
    assert isinstance(error, AssertionError)
    assert str(error) == error.sentence == "W has the wrong sign: it is the right one negated."
    assert (error.kind, error.pointer) == ("negated", "section 4")
    assert "15 of 15 entries differ" in error.detail


def test_lists_of_numbers_are_vectors_to_the_doctor():
    right = [0.1234, 0.7071, 0.3333, 0.9876]
    assert kind(right[::-1], right) == "reversed"
    assert kind(right[:-1], right) == "step-missing"
    assert kind(list(range(20))[::-1], list(range(20))) == "reversed"
    assert kind([3, 1], [1, 2]) == "different-values"


def test_a_mask_of_a_causal_attention_is_recognised():
    causal = torch.ones(4, 4).tril().bool()
    assert kind(~causal, causal) == "inverted"
    assert kind(causal.T, causal) == "transposed"


def test_every_part_that_differs_is_counted():
    found = diagnose((-ROWS, 1.0, "b"), (ROWS, 2.5, "a"))
    assert found.kind == "negated"
    assert "2 more parts differ" in found.detail


@pytest.mark.parametrize("device", ["cpu", *(["cuda"] if torch.cuda.is_available() else [])])
def test_tensors_of_every_device_are_compared(device):
    right = torch.tensor(ROWS, device=device, requires_grad=True)
    assert diagnose(torch.tensor(ROWS), right) is None
    assert kind(-right, right) == "negated"


def test_nan_in_what_was_computed_from_results_proves_nothing():
    for value in (math.nan, np.array([1.0, math.nan]), torch.tensor([math.nan]), {"a": [1.0, (math.nan,)]}):
        with pytest.raises(Mismatch, match="Your results hold NaN"):
            assert_matches(value, value)
        assert_matches(value, value, nan=True)
    assert_matches([1, True, "nan", None, np.array([1])], [1, True, "nan", None, np.array([1])])
