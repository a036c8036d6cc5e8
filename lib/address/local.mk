# lib/address: mail addresses and IP addresses.
lib_libposthouse_a_SOURCES += \
	lib/address/host_list.c lib/address/host_list.h \
	lib/address/idn.c lib/address/idn.h \
	lib/address/ip.c lib/address/ip.h \
	lib/address/mailbox.c lib/address/mailbox.h \
	lib/address/proxy_header.c lib/address/proxy_header.h \
	lib/address/rewrite.c lib/address/rewrite.h \
	lib/address/scan.c lib/address/scan.h \
	lib/address/verp.c lib/address/verp.h
