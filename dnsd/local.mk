# dnsd/
