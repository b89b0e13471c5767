"""Pictures of what a model does."""

from gemel.reports.pictures import draw_episodes, draw_map, draw_roc, save

__all__ = ["draw_episodes", "draw_map", "draw_roc", "save"]
