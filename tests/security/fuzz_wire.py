"""Fuzzes `deepmarks.wire.decode` with atheris: `python tests/security/fuzz_wire.py [CORPUS] -max_total_time=600`.

For the nightly run. Whatever is decoded must be data, and must come back the same when it is sent again; whatever is
not must raise WireError. A path to a folder keeps what is found; the stored corpus is where it starts.
"""

from __future__ import annotations

import struct
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path


def target() -> Callable[[bytes], None]:
    """What atheris calls with each input; only the wire format is instrumented, since all of torch takes minutes."""
    import atheris

    with atheris.instrument_imports(include=["deepmarks.wire"]):
        from deepmarks import wire
    limits = wire.WireLimits(frame=1 << 20, header=1 << 16, items=10_000, numbers=10_000)

    def one_input(data: bytes) -> None:
        # As it is, and as a header with buffers, so that the length need not be guessed.
        for frame in (data, struct.pack("<I", min(len(data), 64)) + data):
            try:
                value = wire.decode(frame, limits)
            except wire.WireError:
                continue
            again = wire.encode(value)
            # A NaN is no key that can be found again, so the bytes are compared, not the values.
            assert wire.encode(wire.decode(again, wire.TRUSTED_SENDER)) == again

    return one_input


def main() -> int:
    """Run atheris on the stored corpus and the folders named; exit code 0 if it is not installed."""
    try:
        import atheris
    except ImportError:
        sys.stderr.write("atheris is not installed; nothing was fuzzed\n")
        return 0
    one_input = target()
    sys.path.insert(0, str(Path(__file__).parent))
    from test_decoder_fuzz_corpus import DECODED, REFUSED

    with tempfile.TemporaryDirectory() as seeds:
        for k, frame in enumerate([*DECODED.values(), *REFUSED.values()]):
            if len(frame) < 1 << 16:
                (Path(seeds) / str(k)).write_bytes(frame)
        atheris.Setup([sys.argv[0], *sys.argv[1:], seeds], one_input)
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
