# The library: one archive, a folder per concept; DESIGN: layers in ARCHITECTURE.md.
include lib/base/local.mk
include lib/address/local.mk
include lib/smtp/local.mk
include lib/dnswire/local.mk
include lib/queuefile/local.mk
include lib/dsn/local.mk
include lib/system/local.mk
include lib/sandbox/local.mk
include lib/conf/local.mk
include lib/ipc/local.mk
include lib/maillog/local.mk
include lib/table/local.mk
include lib/dns/local.mk
include lib/addr/local.mk
include lib/intake/local.mk
include lib/smtpsession/local.mk
include lib/service/local.mk
