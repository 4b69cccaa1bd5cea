"""The steps of a run, in the order of docs/chaos.md; each acts on one context."""
