"""Which system calls a session may make: a seccomp filter, built with libseccomp through `pyseccomp`.

Whatever is not named here answers ENOSYS, so that a call which a newer kernel adds is closed too and libraries fall
back to what they did before it. What code could expect to work answers EPERM, which reads better.
"""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyseccomp

_MEMORY = "brk mmap munmap mremap mprotect madvise mincore msync membarrier"
_FILES = """
    read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 close close_range stat fstat lstat
    newfstatat statx statfs fstatfs lseek _llseek access faccessat faccessat2 readlink readlinkat getdents getdents64
    getcwd chdir fchdir mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat
    ftruncate fsync fdatasync fadvise64 flock umask
    copy_file_range sendfile sync_file_range dup dup2 dup3 pipe pipe2 creat
"""
_WAITING = """
    poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2
    timerfd_create timerfd_settime timerfd_gettime futex futex_waitv restart_syscall nanosleep clock_nanosleep pause
"""
_PROCESS = """
    exit exit_group fork vfork wait4 waitid getpid getppid gettid getpgid getpgrp getsid set_tid_address set_robust_list
    get_robust_list sched_yield sched_getaffinity sched_getparam sched_getscheduler sched_get_priority_max
    sched_get_priority_min sched_rr_get_interval getpriority rseq arch_prctl getuid geteuid getgid getegid getresuid
    getresgid getgroups capget uname sysinfo getrusage getrlimit setrlimit getcpu getrandom times time gettimeofday
    clock_gettime clock_getres
"""
_SIGNALS = """
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack alarm setitimer
    getitimer timer_create timer_settime timer_gettime timer_getoverrun timer_delete
"""
_CHANNEL = "recvmsg"  # the session's pipe; no other socket can be made or reached

_ALLOWED = " ".join((_MEMORY, _FILES, _WAITING, _PROCESS, _SIGNALS, _CHANNEL))

#: Landlock does not see these, so a session could close the files of its user to everybody. Libraries call them in
#: passing (shutil.copy), so they report success and do nothing.
_IGNORED = "chmod fchmod fchmodat fchmodat2 utime utimes utimensat futimesat"

_UNSUPPORTED = """
    getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr setxattr lsetxattr fsetxattr removexattr lremovexattr
    fremovexattr
"""

_REFUSED = """
    socket socketpair connect bind listen accept accept4 sendto sendmsg sendmmsg recvfrom recvmmsg shutdown setsockopt
    getsockopt getsockname getpeername
    execve execveat ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp pidfd_open
    pidfd_getfd pidfd_send_signal setsid setpgid rt_sigqueueinfo rt_tgsigqueueinfo
    mount umount umount2 pivot_root chroot unshare setns fsopen fsconfig fsmount fspick move_mount open_tree
    mount_setattr swapon swapoff quotactl acct sethostname setdomainname
    setuid setgid setreuid setregid setresuid setresgid setgroups setfsuid setfsgid capset
    chown fchown lchown fchownat mknod mknodat
    bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register add_key request_key keyctl
    memfd_create memfd_secret shmget shmat shmctl semget semop semtimedop semctl msgget msgsnd msgrcv msgctl mq_open
    init_module finit_module delete_module kexec_load kexec_file_load reboot syslog personality settimeofday
    clock_settime clock_adjtime adjtimex iopl ioperm modify_ldt name_to_handle_at open_by_handle_at fanotify_init
    inotify_init inotify_init1 inotify_add_watch lookup_dcookie nfsservctl vhangup truncate
    sched_setaffinity sched_setscheduler sched_setparam sched_setattr setpriority ioprio_set mlock mlock2 mlockall
    migrate_pages move_pages mbind set_mempolicy landlock_create_ruleset landlock_add_rule landlock_restrict_self
    seccomp tee splice vmsplice
"""

#: clone() flags that make namespaces, or a process that is no child of its maker.
_CLONE_REFUSED = (
    0x00020000  # CLONE_NEWNS
    | 0x02000000  # CLONE_NEWCGROUP
    | 0x04000000  # CLONE_NEWUTS
    | 0x08000000  # CLONE_NEWIPC
    | 0x10000000  # CLONE_NEWUSER
    | 0x20000000  # CLONE_NEWPID
    | 0x40000000  # CLONE_NEWNET
    | 0x00008000  # CLONE_PARENT
    | 0x00002000  # CLONE_PTRACE
)
_IOCTLS = (0x5401, 0x5413, 0x5421, 0x541B, 0x5450, 0x5451)  # TCGETS TIOCGWINSZ FIONBIO FIONREAD FIONCLEX FIOCLEX
_PRCTLS = (15, 16, 0x53564D41)  # PR_SET_NAME, PR_GET_NAME, PR_SET_VMA (glibc and allocators name their memory)
_FCNTLS = (
    fcntl.F_DUPFD,
    fcntl.F_DUPFD_CLOEXEC,
    fcntl.F_GETFD,
    fcntl.F_SETFD,
    fcntl.F_GETFL,
    fcntl.F_SETFL,
    fcntl.F_GETLK,
    fcntl.F_SETLK,
    fcntl.F_SETLKW,
    36,  # F_OFD_GETLK
    37,  # F_OFD_SETLK
    38,  # F_OFD_SETLKW
)


def build(*, signals_are_scoped: bool) -> bytes:
    """The filter for sessions as a BPF program. `signals_are_scoped`: Landlock keeps signals inside the session.

    Compiled once, for it takes milliseconds; each session then loads it as it is.

    Raises ImportError, OSError where libseccomp is not there.
    """
    import pyseccomp as seccomp

    rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.ENOSYS))
    refuse = seccomp.ERRNO(errno.EPERM)
    for name in _ALLOWED.split():
        _add(rules, seccomp.ALLOW, name)
    for name in _IGNORED.split():
        _add(rules, seccomp.ERRNO(0), name)
    for name in _UNSUPPORTED.split():
        _add(rules, seccomp.ERRNO(errno.ENOTSUP), name)
    for name in _REFUSED.split():
        _add(rules, refuse, name)
    for name in ("kill", "tkill", "tgkill"):
        _add(rules, seccomp.ALLOW if signals_are_scoped else refuse, name)
    _add(rules, seccomp.ALLOW, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, _CLONE_REFUSED, 0))
    _add(rules, seccomp.ALLOW, "prlimit64", seccomp.Arg(0, seccomp.EQ, 0))
    for name, argument, values in (("ioctl", 1, _IOCTLS), ("prctl", 0, _PRCTLS), ("fcntl", 1, _FCNTLS)):
        for value in values:
            _add(rules, seccomp.ALLOW, name, seccomp.Arg(argument, seccomp.MASKED_EQ, 0xFFFFFFFF, value))
    # A fork becomes the one that its orphans fall to; to stop being that is refused.
    becomes = seccomp.Arg(0, seccomp.MASKED_EQ, 0xFFFFFFFF, 36), seccomp.Arg(1, seccomp.EQ, 1)  # PR_SET_CHILD_SUBREAPER
    _add(rules, seccomp.ALLOW, "prctl", *becomes)
    _allow_open(rules, seccomp)
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


def _allow_open(rules: pyseccomp.SyscallFilter, seccomp: Any) -> None:
    """Opening, but not truncating a file that is opened for reading: old Landlock versions do not see that."""
    kept = os.O_TRUNC | os.O_ACCMODE
    for name, argument in (("open", 1), ("openat", 2)):
        for mode in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC, os.O_RDWR | os.O_TRUNC):
            _add(rules, seccomp.ALLOW, name, seccomp.Arg(argument, seccomp.MASKED_EQ, kept, mode))


def _add(rules: pyseccomp.SyscallFilter, action: int, name: str, *arguments: Any) -> None:
    """Add a rule; a name that this architecture does not have needs none."""
    import pyseccomp as seccomp

    try:
        number = seccomp.resolve_syscall(seccomp.system_arch(), name)
    except (ValueError, OSError, KeyError):
        return
    if number >= 0:
        rules.add_rule(action, number, *arguments)
