# pickup: takes in what local users dropped.
daemon_PROGRAMS += pickup/pickup
pickup_pickup_SOURCES = pickup/compose.c pickup/main.c pickup/pickup.h pickup/spool.c \
	pickup/spool.h pickup/take.c pickup/take.h pickup/taking.h
pickup_pickup_LDADD = $(posthouse_libs)
