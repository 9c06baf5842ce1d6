"""Run folders -> one self-contained page, Markdown and LaTeX tables, and plots."""

from agentdistill.report.build import ReportPaths, build_report

__all__ = ["ReportPaths", "build_report"]
