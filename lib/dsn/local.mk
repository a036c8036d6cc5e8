# lib/dsn: sources of this layer's folder.
