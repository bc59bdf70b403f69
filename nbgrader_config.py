"""nbgrader's configuration of this course; the formgrader and the command line both read it."""

import os
from pathlib import Path

from nbgrader.converters.autograde import Autograde
from nbgrader.converters.generate_assignment import GenerateAssignment
from nbgrader.converters.generate_feedback import GenerateFeedback
from nbgrader.preprocessors import Execute

from gqlib.grading import pages
from gqlib.grading.execution import SandboxedExecute
from gqlib.grading.gradebook import refuse_locked
from gqlib.grading.preprocessors import CourseCells, HideHiddenTests, publication
from gqlib.grading.restore import RestoreCells

c = get_config()  # noqa: F821

here = Path(__file__).resolve().parent
refuse_locked(Path("gradebook.db"))

c.CourseDirectory.course_id = "gqlib"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "lessons"
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "*.part"]

# Generate: the badge and the installation are derived from one setting in pyproject.toml.
c.CourseCells.repository, c.CourseCells.ref = publication(here / "pyproject.toml")
c.GenerateAssignment.preprocessors = [CourseCells, *GenerateAssignment.preprocessors.default()]
c.ClearSolutions.code_stub = {
    "python": 'raise NotImplementedError("write your answer here, and delete this line")'
}
c.ClearSolutions.text_stub = "*Write your answer here.*"

# Autograde: a cell that never ends costs its own points only.
c.Autograde.sanitize_preprocessors = [
    RestoreCells,
    *Autograde.sanitize_preprocessors.default(),
]
c.Execute.timeout = 60
c.SandboxedExecute.solutions = str(here / c.CourseDirectory.source_directory)
c.SandboxedExecute.sandbox = os.environ.get("GQLIB_NO_SANDBOX") != "1"
c.Autograde.autograde_preprocessors = [
    SandboxedExecute if step is Execute else step
    for step in Autograde.autograde_preprocessors.default()
]

# Pages of submissions, in the formgrader and as feedback, are safe to open.
pages.use(c)

# Feedback: hidden tests stay hidden.
c.GenerateFeedback.preprocessors = [
    HideHiddenTests,
    *GenerateFeedback.preprocessors.default(),
]
