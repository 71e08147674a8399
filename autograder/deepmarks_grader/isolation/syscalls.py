"""Numbers of the system calls that the filter knows, by architecture; -1 where one does not exist.

Taken from libseccomp 2.5.4 and <asm-generic/unistd.h>; a test compares them with the installed libseccomp.
"""

from __future__ import annotations

ARCHITECTURES = {"x86_64": 0, "aarch64": 1}
AUDIT_NUMBERS = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""What the kernel writes into `seccomp_data.arch`."""

LAST_KNOWN = 462
"""mseal (Linux 6.10): whatever has a higher number is unknown here and answered as not implemented."""

_TABLE = """
_sysctl               156   -1
acct                  163   89
add_key               248  217
adjtimex              159  171
bpf                   321  280
chmod                  90   -1
chown                  92   -1
chroot                161   51
clock_adjtime         305  266
clock_settime         227  112
clone                  56  220
clone3                435  435
create_module         174   -1
delete_module         176  106
fanotify_init         300  262
fanotify_mark         301  263
fchmod                 91   52
fchmodat              268   53
fchmodat2             452  452
fchown                 93   55
fchownat              260   54
finit_module          313  273
fremovexattr          199   16
fsconfig              431  431
fsetxattr             190    7
fsmount               432  432
fsopen                430  430
fspick                433  433
futimesat             261   -1
get_kernel_syms       177   -1
init_module           175  105
io_uring_enter        426  426
io_uring_register     427  427
io_uring_setup        425  425
ioctl                  16   29
ioperm                173   -1
iopl                  172   -1
ioprio_set            251   30
kcmp                  312  272
kexec_file_load       320  294
kexec_load            246  104
keyctl                250  219
kill                   62  129
lchown                 94   -1
listmount             458  458
lookup_dcookie        212   18
lremovexattr          198   15
lsetxattr             189    6
lsm_set_self_attr     460  460
memfd_create          319  279
memfd_secret          447  447
migrate_pages         256  238
modify_ldt            154   -1
mount                 165   40
mount_setattr         442  442
move_mount            429  429
move_pages            279  239
mq_open               240  180
msgget                 68  186
name_to_handle_at     303  264
nfsservctl            180   42
open_by_handle_at     304  265
open_tree             428  428
perf_event_open       298  241
personality           135   92
pidfd_getfd           438  438
pidfd_open            434  434
pidfd_send_signal     424  424
pivot_root            155   41
prctl                 157  167
prlimit64             302  261
process_madvise       440  440
process_mrelease      448  448
process_vm_readv      310  270
process_vm_writev     311  271
ptrace                101  117
query_module          178   -1
quotactl              179   60
quotactl_fd           443  443
reboot                169  142
removexattr           197   14
request_key           249  218
rt_sigqueueinfo       129  138
rt_tgsigqueueinfo     297  240
sched_setaffinity     203  122
sched_setattr         314  274
sched_setparam        142  118
sched_setscheduler    144  119
semget                 64  190
sendmmsg              307  269
sendmsg                46  211
sendto                 44  206
setdomainname         171  162
sethostname           170  161
setns                 308  268
setpriority           141  140
settimeofday          164  170
setxattr              188    5
shmget                 29  194
socket                 41  198
socketpair             53  199
statmount             457  457
swapoff               168  225
swapon                167  224
sysfs                 139   -1
syslog                103  116
tgkill                234  131
tkill                 200  130
umount2               166   39
unshare               272   97
uselib                134   -1
userfaultfd           323  282
ustat                 136   -1
utime                 132   -1
utimensat             280   88
utimes                235   -1
vhangup               153   58
"""


def numbers(architecture: str) -> dict[str, int]:
    """Name to number, -1 for a call that `architecture` has not; KeyError if the architecture is unknown."""
    column = ARCHITECTURES[architecture]
    rows = (line.split() for line in _TABLE.strip().splitlines())
    return {name: int((x86_64, aarch64)[column]) for name, x86_64, aarch64 in rows}
