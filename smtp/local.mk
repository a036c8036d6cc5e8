# smtp/
