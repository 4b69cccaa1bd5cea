"""Moves that lose nothing: what clients use leaves their lists first, then it is moved."""
