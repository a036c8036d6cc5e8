# master: starts, wires and watches all other daemons.
daemon_PROGRAMS += master/master
master_parts = \
	master/control.c master/control.h \
	master/endpoint.c master/endpoint.h \
	master/fleet.c master/fleet.h \
	master/identity.c master/identity.h \
	master/listeners.c master/listeners.h \
	master/lock.c master/lock.h \
	master/master.c master/master.h \
	master/places.c master/places.h \
	master/plan.c master/plan.h \
	master/privilege.c master/privilege.h \
	master/process.c master/process.h \
	master/spawn.c master/spawn.h \
	master/supervise.c master/supervise.h \
	master/wiring.c master/wiring.h
master_master_SOURCES = master/main.c $(master_parts)
master_master_LDADD = $(posthouse_libs)
