/* conf/catalogue/end - after a .def file: the row macros are free for the next use. No guard. */
#undef CONF_ROW
#undef CONF_AT
#undef CONF_TEXT
#undef CONF_LISTED
#undef CONF_NETWORKS
#undef CONF_TABLES
#undef CONF_MATCH_LIST
#undef CONF_CHOICE
#undef CONF_WORDS
#undef CONF_BOOL
#undef CONF_NUMBER
#undef CONF_SIZE
#undef CONF_TIME
#undef CONF_FAMILY_NUMBER
#undef CONF_FAMILY_TIME
#undef CONF_FAMILY_MEMBER
