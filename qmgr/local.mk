# qmgr/
