# lib/conf: sources of this layer's folder.
