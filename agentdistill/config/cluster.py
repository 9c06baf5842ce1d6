"""Settings of the Ray cluster that a run works on."""

from dataclasses import dataclass

from agentdistill.config.settings import setting


@dataclass
class ClusterConfig:
    address: str | None = None  # null: the running cluster where there is one, else one of our own; "local": our own
    num_cpus: int | None = setting(None, ge=1)
    object_store_mb: int | None = setting(None, ge=80)
    serve_port: int = setting(0, ge=0, le=65_535)  # 0: no HTTP, handles only
    serve_host: str = "127.0.0.1"  # where HTTP listens; an address that others reach asks for a token
    serve_token_env: str = "AGENTDISTILL_SERVE_TOKEN"  # the environment variable that holds that token
