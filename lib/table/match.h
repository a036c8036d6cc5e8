/* table/match - lists that a name is in or not: mydestination, relay_domains and their like.
 * Words: a name; "!word", which decides the other way; "/file", whose words stand in its place;
 * "type:name", a table, in which being a key is all that counts. The first word that matches
 * decides; none means no. Files are read when the list is opened, tables whenever they are asked.
 * Interface: table_match_open(), table_match_lookup(). Callers: addrd. */
#ifndef TABLE_MATCH_H
#define TABLE_MATCH_H

#include "table/table.h"

enum table_match_style {
    TABLE_MATCH_EXACT,         /* mydestination: the whole name, whatever its case */
    TABLE_MATCH_DOTTED_PARENT, /* also ".parent" */
    TABLE_MATCH_PARENT         /* a domain stands for what is below it too
                                * (parent_domain_matches_subdomains) */
};

struct table_match;

/* What cannot be opened makes lookups that get so far temporary errors, and is told to
 * options->warn. NULL only when memory is out. */
MUST_USE struct table_match *table_match_open(struct span words, enum table_match_style style,
                                              const struct table_options *options);
void table_match_close(struct table_match **match);
/* TABLE_FOUND: name is in the list. */
MUST_USE enum table_result table_match_lookup(struct table_match *match, struct span name);
/* After TABLE_ERROR. */
struct span table_match_error(const struct table_match *match);
/* The tables, for those who must know their files. */
size_t table_match_table_count(const struct table_match *match);
struct table *table_match_table_at(const struct table_match *match, size_t index);

#endif
