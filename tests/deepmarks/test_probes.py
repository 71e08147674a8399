"""Probes are cut into the parts that single requests need."""

from __future__ import annotations

import traceback

import pytest

from deepmarks.checks import CheckError
from deepmarks.checks.messages import Operation, Request
from deepmarks.checks.probes import Probes, executed, packed

SOURCE = '''"""Probes."""

from __future__ import annotations

import math
import os.path as paths

SIZES = {"small": 3}
FIRST, second = 1, 2


def library_double(x):
    """The answer to question 1."""
    return x + x


def library_quadruple(x):
    return library_double(library_double(x))


def area(student, radius: Radius):
    return _scaled(student.square(radius), math.pi)


def _scaled(x, factor):
    return x * factor * SIZES["small"]


def fails(student):
    raise ValueError(second)


class Shape:
    sides = FIRST
'''


def probe(name: str) -> Request:
    return Request(Operation.PROBE, name)


def call(**stand_ins: str) -> Request:
    return Request(Operation.CALL, "name", options={"stand_in": stand_ins})


def names(request: Request) -> set[str]:
    part = Probes(SOURCE).needed(request)
    assert part is not None
    return {name for name in executed(part.code) if not name.startswith("__")}


def test_a_part_holds_what_the_probe_rests_on_and_nothing_else():
    assert names(probe("area")) == {"annotations", "math", "area", "_scaled", "SIZES"}
    assert names(probe("Shape")) == {"annotations", "Shape", "FIRST", "second"}


def test_a_request_without_probes_needs_nothing():
    assert Probes(SOURCE).needed(call()) is None
    assert Probes(SOURCE).needed(call(softmax="torch.softmax")) is None


def test_stand_ins_are_told_even_where_they_come_along_with_others():
    probes = Probes(SOURCE)
    found = [
        probes.needed(call(quadruple="probes.library_quadruple")),
        probes.needed(call(double="probes.library_double")),
        probes.needed(probe("area")),
    ]
    assert [set(part.stand_ins) for part in found if part is not None] == [
        {"library_quadruple", "library_double"},
        {"library_double"},
        set(),
    ]


def test_a_probe_and_stand_ins_come_in_one_part():
    request = Request(Operation.PROBE, "area", options={"stand_in": {"double": "probes.library_double"}})
    assert {"area", "library_double"} <= names(request)
    assert "library_quadruple" not in names(request)


def test_a_name_that_is_not_there_is_the_fault_of_the_check():
    with pytest.raises(CheckError, match=r"probes.py does not define perimeter"):
        Probes(SOURCE).needed(probe("perimeter"))
    with pytest.raises(CheckError, match="library_triple"):
        Probes(SOURCE).needed(call(triple="probes.library_triple"))


def test_probes_that_are_not_python_are_the_fault_of_the_check():
    with pytest.raises(CheckError, match=r"probes.py is not Python"):
        Probes("def (")


def test_each_request_gets_a_module_of_its_own():
    part = Probes(SOURCE).needed(probe("Shape"))
    assert part is not None
    first, second = executed(part.code), executed(part.code)
    first["FIRST"] = 7
    assert second["FIRST"] == 1
    assert first["Shape"] is not second["Shape"]


def test_lines_are_those_of_the_file():
    part = Probes(SOURCE).needed(probe("fails"))
    assert part is not None
    with pytest.raises(ValueError, match="2") as caught:
        executed(part.code)["fails"](None)
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.filename, last.lineno) == ("probes.py", SOURCE.split("\n").index("    raise ValueError(second)") + 1)


def test_packed_probes_are_read_as_plain_ones(tmp_path):
    file = tmp_path / "probes.py"
    file.write_bytes(packed(SOURCE.encode()))
    assert "question 1" not in file.read_text()
    part = Probes.read(file).needed(probe("area"))
    assert part is not None
    assert part.code == Probes(SOURCE).needed(probe("area")).code  # type: ignore[union-attr]


def test_what_cannot_be_unpacked_is_said(tmp_path):
    file = tmp_path / "probes.py"
    file.write_bytes(packed(SOURCE.encode()).replace(b"aG", b"\xc3\xa4", 1))
    with pytest.raises(CheckError, match="cannot be unpacked"):
        Probes.read(file)


def test_no_probes_at_all(tmp_path):
    assert packed(b"") == b""
    assert Probes.read(None).needed(call()) is None
    with pytest.raises(CheckError, match="does not define area"):
        Probes.read(tmp_path / "probes.py").needed(probe("area"))
