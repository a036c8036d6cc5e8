EXTRA_DIST += lib/system/tasks-gdb.py
# lib/system: layer 4, the only folder that meets the operating system's calls for everybody else.
lib_libposthouse_a_SOURCES += \
	lib/system/clock.c lib/system/clock.h \
	lib/system/command.c lib/system/command.h \
	lib/system/file.c lib/system/file.h \
	lib/system/file_watch.c lib/system/file_watch.h \
	lib/system/filelock.c lib/system/filelock.h \
	lib/system/journal.c lib/system/journal.h \
	lib/system/note.c lib/system/note.h \
	lib/system/loop.c lib/system/loop.h \
	lib/system/part.c lib/system/part.h \
	lib/system/pool.c lib/system/pool.h \
	lib/system/random.c lib/system/random.h \
	lib/system/stream.c lib/system/stream.h \
	lib/system/task.c lib/system/task.h \
	lib/system/task_stack.c lib/system/task_stack.h \
	lib/system/watch.c lib/system/watch.h \
	lib/system/watchdog.c lib/system/watchdog.h
