"""Instructors' tools on top of nbgrader: authoring, generating, grading and feedback.

The modules know notebooks, and nothing about generative models.
"""
