"""What model-written code may call beside `final_answer`: the retriever, and functions of somebody's own."""

from agentdistill.tools.function import Tool, function_tool
from agentdistill.tools.mount import SEARCH, SearchText, make_tools, search_text, tool_texts

__all__ = ["SEARCH", "SearchText", "Tool", "function_tool", "make_tools", "search_text", "tool_texts"]
