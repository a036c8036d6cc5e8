# lib/table: sources of this layer's folder.
