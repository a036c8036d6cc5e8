# addrd/
