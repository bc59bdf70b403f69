"""Untrusted notebooks, executed in a sandbox that starts at once.

``bubblewrap`` encloses a warm process, which has imported what a lesson imports (``worker``). Each
submission runs in two forks of it with their own namespaces, files and limits (``session``,
``confine``). One runs the student's cells, the other the tests (``remote_answers``, ``serialise``).
A small shell makes the outputs that a kernel would make (``shell``). Tests that must run in one
process with the answers are guarded (``guard``, ``audit``, ``private``). ``pool`` is the part that
stays outside.
"""
