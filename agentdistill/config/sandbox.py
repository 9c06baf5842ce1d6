"""Settings of the sandbox and its service."""

from dataclasses import dataclass, field

from agentdistill.config.settings import section, setting


@dataclass
class LimitsConfig:
    """Limits of one run of one piece of code; sizes in MiB are 2**20 bytes, characters are code points of text."""

    wall_s: float = setting(10.0, gt=0)  # on the clock; waiting for tools or a busy processor not counted
    cpu_s: float = setting(10.0, gt=0)  # processor time of the session's processes together
    memory_mb: int = setting(1024, ge=64)  # beyond what the warm process holds, all processes of the session together
    output_chars: int = setting(20_000, ge=100)  # printed text that is kept, head and tail; 100 times as much ends it
    value_chars: int = setting(10_000, ge=100)  # of the last expression, a final answer, a tool call's arguments
    code_chars: int = setting(1_000_000, ge=1_000)  # of one program
    file_mb: int = setting(64, ge=0)  # in the session's folder, forks included
    files: int = setting(256, ge=0)  # in the session's folder, forks included
    processes: int = setting(16, ge=1)  # processes and threads
    tool_s: float = setting(60.0, gt=0)  # deadline of one tool call, above that of the service behind it
    tool_calls: int = setting(64, ge=0)  # of one program


@dataclass
class SandboxConfig:
    limits: LimitsConfig = section(LimitsConfig)
    lockdown: str = setting("required", choices=("required", "relaxed"), binds=False)
    namespaces: bool = setting(True, binds=False)  # use user namespaces on top, where they are allowed
    preload: list[str] = field(default_factory=lambda: ["numpy", "sympy", "pandas", "scipy"])
    blocked_imports: list[str] = field(default_factory=list)
    service: bool = setting(  # share one Ray Serve deployment; false opens a sandbox inside each rollout actor
        True, binds=False
    )
    replicas: int = setting(1, ge=1, binds=False)
    max_replicas: int = setting(1, ge=1, binds=False)
    cpus_per_replica: float = setting(0.25, ge=0, binds=False)  # what Ray reserves: a replica mostly waits
    max_sessions: int = setting(256, ge=1, binds=False)  # per replica; more are answered "busy"
    max_running: int = setting(  # programs at work at once per replica; 0: 8 for each of its processors
        0, ge=0, binds=False
    )
    max_queued: int = setting(  # programs that wait for their turn, per replica; more are answered "busy"
        256, ge=1, binds=False
    )
    patience_s: float = setting(120.0, gt=0, binds=False)  # how long a client asks a busy service again
    idle_s: float = setting(600.0, gt=0, binds=False)  # a session that nobody uses for so long is closed

    def problems(self):
        if self.max_replicas < self.replicas:
            yield "max_replicas", self.max_replicas, f"at least replicas ({self.replicas})"
