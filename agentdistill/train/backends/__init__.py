"""Who multiplies, reduces and updates: plain torch, or DeepSpeed ZeRO."""
