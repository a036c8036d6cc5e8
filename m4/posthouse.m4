dnl PH_PROBE_CFLAGS([flags]): append to PH_CFLAGS each flag that the compiler takes.
AC_DEFUN([PH_PROBE_CFLAGS], [
    for ph_flag in $1; do
        AC_MSG_CHECKING([whether $CC takes $ph_flag])
        ph_saved_cflags=$CFLAGS
        CFLAGS="$CFLAGS -Werror $ph_flag"
        AC_COMPILE_IFELSE([AC_LANG_SOURCE([[int main(void) { return 0; }]])],
            [AC_MSG_RESULT([yes]); PH_CFLAGS="$PH_CFLAGS $ph_flag"],
            [AC_MSG_RESULT([no])])
        CFLAGS=$ph_saved_cflags
    done
])
dnl PH_PROBE_LDFLAGS([flags]): the same for PH_LDFLAGS and the linker.
AC_DEFUN([PH_PROBE_LDFLAGS], [
    for ph_flag in $1; do
        AC_MSG_CHECKING([whether the linker takes $ph_flag])
        ph_saved_ldflags=$LDFLAGS
        ph_saved_cflags=$CFLAGS
        CFLAGS="$CFLAGS -fPIE"
        LDFLAGS="$LDFLAGS -Werror $ph_flag"
        AC_LINK_IFELSE([AC_LANG_SOURCE([[int main(void) { return 0; }]])],
            [AC_MSG_RESULT([yes]); PH_LDFLAGS="$PH_LDFLAGS $ph_flag"],
            [AC_MSG_RESULT([no])])
        LDFLAGS=$ph_saved_ldflags
        CFLAGS=$ph_saved_cflags
    done
])
dnl PH_OPTIONAL(OPTION, WHAT, [look for it and set have_OPTION]): --with-OPTION makes its absence
dnl an error, --without-OPTION leaves it out though it is here; without either it is used where it is.
AC_DEFUN([PH_OPTIONAL], [
    AC_ARG_WITH([$1], [AS_HELP_STRING([--without-$1], [leave out $2])], [], [with_$1=auto])
    have_$1=no
    AS_IF([test "x$with_$1" != xno], [$3])
    AS_IF([test "x$with_$1" != xno && test "x$with_$1" != xauto && test "x$have_$1" = xno],
        [AC_MSG_ERROR([--with-$1: what it needs was not found])])
])
