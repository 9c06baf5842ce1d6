"""Mathematical answers: their shapes, their values, and the processes that compare them."""
