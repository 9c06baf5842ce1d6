"""A grader: decides whether an answer is right; a question's kind names it."""

from agentdistill.types import Grade, Question


async def parity(question: Question, answer: str | None) -> Grade | None:
    """Right where the answer is as even or odd as the gold one; None, not graded, where it is no number."""
    try:
        right = int(answer or "") % 2 == int(question.answers[0]) % 2
    except ValueError:
        return None
    return Grade(float(right), right, "parity-1")
