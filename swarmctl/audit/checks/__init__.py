"""One file a check: a pure function from facts to the lines that are not as they should be."""
