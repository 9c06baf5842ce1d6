"""Recipes: functions of a run that spell its verbs; `recipe:` in the config names one."""
