"""What all unit tests share."""

import os

# pytest-xdist tells its workers a terminal of 80 columns; output is tested as a pipe gets it.
os.environ.pop("COLUMNS", None)
