"""An experiment as a document: written as a file or as options, checked once, read as a plan."""
