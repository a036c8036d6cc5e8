/* authd/db_types - the types of password databases, for authd/database, and what they share. */
#ifndef AUTHD_DB_TYPES_H
#define AUTHD_DB_TYPES_H

#include "database.h"

extern const struct database_type database_passwd_file;
extern const struct database_type database_static;
extern const struct database_type database_shadow;
/* Where their libraries' headers were there at the build. */
extern const struct database_type database_pam;
extern const struct database_type database_sqlite;
extern const struct database_type database_pgsql;
extern const struct database_type database_mysql;
extern const struct database_type database_ldap;

/* A stored password of this database, kept as the measure of what unknown users cost. */
void database_set_model(struct database *database, struct span stored);

#endif
