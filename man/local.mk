# man/
dist_man_MANS += man/posthouse-queue.5
