"""The config's recipe as one Ray job, whichever it is; does exactly what `agentdistill recipe run` does."""

from agentdistill.recipes.choose import recipe_of
from agentdistill.run import job

with job(__doc__) as run:
    recipe_of(run.config)(run)
