# lib/system/tasks-gdb - gdb command "tasks": each parked task of a daemon with its back-trace.
#   gdb -p PID -ex 'source lib/system/tasks-gdb.py' -ex tasks -ex detach -ex quit
# glibc keeps stack pointer and program counter in a jmp_buf disguised: rotated by 17 bits and
# xored with a value of the thread. x86-64 only.
import gdb

RBX, RBP, R12, R13, R14, R15, RSP, RIP = range(8)
WORD = (1 << 64) - 1


def reveal(value, guard):
    value &= WORD
    return (value >> 17 | value << 47) & WORD ^ guard


class Tasks(gdb.Command):
    """tasks: back-trace every parked task."""

    def __init__(self):
        super().__init__("tasks", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        base = int(gdb.parse_and_eval("$fs_base")) & WORD
        word = gdb.lookup_type("unsigned long")
        guard = int(gdb.Value(base + 0x30).cast(word.pointer()).dereference())
        task_type = gdb.lookup_type("struct task")
        offset = next(f.bitpos // 8 for f in task_type.fields() if f.name == "all_link")
        head = gdb.parse_and_eval("&all_tasks.head")
        link = head["next"]
        names = ("rsp", "rbp", "rbx", "r12", "r13", "r14", "r15", "rip")
        saved = {name: int(gdb.parse_and_eval("(unsigned long)$" + name)) for name in names}
        while int(link) not in (0, int(head)):
            address = int(link) - offset
            task = gdb.Value(address).cast(task_type.pointer()).dereference()
            print("task %#x %s, state %s" % (address, task["name"].string(), task["state"]))
            if str(task["state"]) == "TASK_STATE_PARKED":
                buffer = task["coroutine"].dereference()["context"][0]["__jmpbuf"]
                plain = {"rbx": RBX, "r12": R12, "r13": R13, "r14": R14, "r15": R15}
                # The program counter last: moving it makes gdb forget its frames.
                registers = {name: int(buffer[index]) & WORD for name, index in plain.items()}
                registers["rbp"] = reveal(int(buffer[RBP]), guard)
                registers["rsp"] = reveal(int(buffer[RSP]), guard)
                registers["rip"] = reveal(int(buffer[RIP]), guard)
                try:
                    for name in names:
                        gdb.execute("set var $%s = %d" % (name, registers[name]))
                    gdb.execute("backtrace 20")
                finally:
                    for name in names:
                        gdb.execute("set var $%s = %d" % (name, saved[name]))
            link = link["next"]


Tasks()
