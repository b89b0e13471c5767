"""Reports: pages of HTML, a model card, and pictures of what a model does."""

from gemel.reports.asked import Asked
from gemel.reports.card import model_card
from gemel.reports.compare_report import compare_report, write_compare_report
from gemel.reports.pictures import draw_episodes, draw_map, draw_roc, save
from gemel.reports.report import report, write_report

__all__ = [
    "Asked",
    "compare_report",
    "draw_episodes",
    "draw_map",
    "draw_roc",
    "model_card",
    "report",
    "save",
    "write_compare_report",
    "write_report",
]
