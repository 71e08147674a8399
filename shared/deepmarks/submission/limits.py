"""How much of a submission is read, in one table with the reason beside each number."""

from __future__ import annotations

MIB = 1 << 20

FILE_BYTES = 64 * MIB
"""One notebook or script. Notebooks with many figures reach 30 MiB."""
WHOLE_CHARS = 200_000
"""Text up to this length is parsed as a whole first; longer text block by block, which takes less memory."""
CODE_CHARS = MIB // 2
"""All code of a submission. A long assignment has 50,000 characters; its syntax tree takes 250 times that."""
JSON_VALUES = 8_000_000
"""Lists, objects and commas in a notebook's JSON. An empty list of 2 bytes takes 64 in memory."""
DOTTED_NAMES = 1_000
"""Parts of one dotted name. Python's parser takes quadratic time for `import a.a.a...`."""
NOTICES = 40
"""Notices kept per submission; a student reads the first few."""

ZIP_BYTES = 256 * MIB
"""The zip itself: two checkpoints and a notebook, twice what Gradescope accepts."""
ZIP_MEMBERS = 1_000
"""Entries of a zip. A zipped project folder has a hundred."""
ZIP_SIGNATURES = 20_000
"""Entry signatures, counted before the zip is opened; stored checkpoints are zips themselves."""
ZIP_TOTAL = 256 * MIB
"""All entries together, unpacked."""
ATTACHMENT_BYTES = 100 * MIB
"""One entry of any kind, unpacked: a checkpoint of 25 million float32 parameters."""
ZIP_RATIO = 200
"""Unpacked by packed size, for entries over 1 MiB. Notebooks reach 30, a bomb 1,000."""
ZIP_DEPTH = 12
"""Folders in folders."""
ZIP_NAME = 255
"""Characters of an entry's name."""
