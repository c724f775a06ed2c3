"""A report: one HTML page about runs that needs nothing beside it, not even a network."""

from minibnn.training.report.page import MOST_DRAWN, Subject, page
from minibnn.training.report.write import check_report_path, write_report

__all__ = ["MOST_DRAWN", "Subject", "check_report_path", "page", "write_report"]
