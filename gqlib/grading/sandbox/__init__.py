"""Notebooks of people one can't trust, executed in a sandbox that starts in a moment.

``bubblewrap`` closes a warm process in, which has imported what a lesson imports (``worker``). Each
submission runs in a fork of it with namespaces, files and limits of its own (``confine``), through
a small shell that makes the outputs a kernel would (``shell``). ``pool`` is the side that stays
outside.
"""
