"""The same account as other programs would report it: one function for each figure.

They look at bars, days and trades each in their own way, so that one run has several Sharpe ratios;
here each is computed as its program does, from our fills and equity. What a program gives a magic
number for (-100, 0, infinity) is None. Differences are explained in docs/metrics.md.
"""

from backtests.domain.metrics.others.course import Course, course_of
from backtests.domain.metrics.others.registry import OTHERS, Other, as_others

__all__ = ["OTHERS", "Course", "Other", "as_others", "course_of"]
