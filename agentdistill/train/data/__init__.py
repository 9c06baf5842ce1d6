"""From examples to rows: rendering, packing, streaming."""
