"""Notebooks of people one can't trust, executed in a sandbox that starts in a moment.

``bubblewrap`` closes a warm process in, which has imported what a lesson imports (``worker``). Each
submission runs in two forks of it with namespaces, files and limits of their own (``session``,
``confine``), through a small shell that makes the outputs a kernel would (``shell``): one has the
student's cells, and the other one the tests (``remote_answers``, ``serialise``). Tests that must
run in one process with the answers are guarded (``guard``, ``audit``, ``private``). ``pool`` is the
side that stays outside.
"""
