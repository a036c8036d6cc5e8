# tools/
sbin_PROGRAMS += tools/postmap
tools_postmap_SOURCES = tools/postmap.c tools/postmap.h tools/postmap_build.c tools/postmap_message.c
tools_postmap_LDADD = $(posthouse_libs) $(DB_LIBS)

sbin_PROGRAMS += tools/posthouse
tools_posthouse_SOURCES = tools/posthouse.c tools/ask.c tools/ask.h tools/password.c tools/password.h
tools_posthouse_LDADD = $(posthouse_libs) $(SASL_LIBS) $(PASSWORD_LIBS)

sbin_PROGRAMS += tools/postqueue
tools_postqueue_SOURCES = tools/postqueue.c tools/queue_maildrop.c tools/queue_maildrop.h \
	tools/queue_text.c tools/queue_text.h \
	tools/tool.c tools/tool.h tools/tool_privilege.c tools/tool_privilege.h \
	tools/tool_say.c tools/tool_say.h tools/tool_log.c tools/tool_log.h
tools_postqueue_LDADD = $(posthouse_libs) $(DB_LIBS)
install-exec-hook: install-mailq
.PHONY: install-mailq
install-mailq:
	$(MKDIR_P) '$(DESTDIR)$(bindir)'
	rm -f '$(DESTDIR)$(bindir)/mailq'
	ln -s -r '$(DESTDIR)$(sbindir)/sendmail' '$(DESTDIR)$(bindir)/mailq' 2>/dev/null || \
		$(LN_S) '$(sbindir)/sendmail' '$(DESTDIR)$(bindir)/mailq'
	$(MKDIR_P) '$(DESTDIR)$(man1dir)'
	rm -f '$(DESTDIR)$(man1dir)/mailq.1'
	$(LN_S) sendmail.1 '$(DESTDIR)$(man1dir)/mailq.1'
install-exec-hook: install-postalias
.PHONY: install-postalias
install-postalias:
	$(MKDIR_P) '$(DESTDIR)$(bindir)' '$(DESTDIR)$(sbindir)'
	rm -f '$(DESTDIR)$(sbindir)/postalias' '$(DESTDIR)$(bindir)/newaliases'
	$(LN_S) postmap '$(DESTDIR)$(sbindir)/postalias'
	ln -s -r '$(DESTDIR)$(sbindir)/sendmail' '$(DESTDIR)$(bindir)/newaliases' 2>/dev/null || \
		$(LN_S) '$(sbindir)/sendmail' '$(DESTDIR)$(bindir)/newaliases'
	$(MKDIR_P) '$(DESTDIR)$(man1dir)'
	rm -f '$(DESTDIR)$(man1dir)/newaliases.1'
	$(LN_S) postalias.1 '$(DESTDIR)$(man1dir)/newaliases.1'
uninstall-hook:
	rm -f '$(DESTDIR)$(sbindir)/postalias' '$(DESTDIR)$(bindir)/newaliases' '$(DESTDIR)$(man1dir)/newaliases.1'
	rm -f '$(DESTDIR)$(bindir)/mailq' '$(DESTDIR)$(man1dir)/mailq.1'

sbin_PROGRAMS += tools/postlock
tools_postlock_SOURCES = tools/postlock.c tools/tool.c tools/tool.h
tools_postlock_LDADD = $(posthouse_libs) $(DB_LIBS)

sbin_PROGRAMS += tools/postkick
tools_postkick_SOURCES = tools/postkick.c tools/tool.c tools/tool.h
tools_postkick_LDADD = $(posthouse_libs) $(DB_LIBS)

sbin_PROGRAMS += tools/sendmail
tools_sendmail_SOURCES = tools/sendmail.c tools/sendmail.h tools/sendmail_drop.c \
	tools/sendmail_session.c tools/sendmail_text.c tools/tool.c tools/tool.h \
	tools/tool_say.c tools/tool_say.h tools/tool_log.c tools/tool_log.h
tools_sendmail_LDADD = $(posthouse_libs) $(SSL_LIBS) $(DB_LIBS)

# setgid, for the group of setgid_group, where there is one and who installs may do that.
sbin_PROGRAMS += tools/postdrop
tools_postdrop_SOURCES = tools/postdrop.c tools/login_sender.c tools/login_sender.h tools/tool.c tools/tool.h tools/tool_privilege.c \
	tools/tool_privilege.h tools/tool_say.c tools/tool_say.h tools/tool_log.c tools/tool_log.h
tools_postdrop_LDADD = $(posthouse_libs) $(DB_LIBS)

install-exec-hook: install-postdrop
.PHONY: install-postdrop
install-postdrop:
	if test -z '$(DESTDIR)' && test "$$(id -u)" -eq 0 && getent group postdrop >/dev/null; then \
		chgrp postdrop '$(sbindir)/postdrop' '$(sbindir)/postqueue' && \
		chmod 2755 '$(sbindir)/postdrop' '$(sbindir)/postqueue'; \
	fi

sbin_PROGRAMS += tools/postconf
tools_postconf_SOURCES = tools/postconf.c tools/postconf.h tools/postconf_edit.c \
	tools/postconf_list.c tools/postconf_services.c tools/postconf_show.c
tools_postconf_LDADD = $(posthouse_libs) $(DB_LIBS)

sbin_PROGRAMS += tools/postlog
tools_postlog_SOURCES = tools/postlog.c tools/tool.c tools/tool.h tools/tool_log.c tools/tool_log.h
tools_postlog_LDADD = $(posthouse_libs)

sbin_PROGRAMS += tools/postcat
tools_postcat_SOURCES = tools/postcat.c tools/drop_text.c tools/drop_text.h tools/tool.c tools/tool.h
tools_postcat_LDADD = $(posthouse_libs)

sbin_PROGRAMS += tools/postsuper
tools_postsuper_SOURCES = tools/postsuper.c tools/tool.c tools/tool.h tools/tool_log.c \
	tools/tool_log.h tools/tool_say.c tools/tool_say.h
tools_postsuper_LDADD = $(posthouse_libs)

include tests/tools/local.mk
