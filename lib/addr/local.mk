# lib/addr: sources of this layer's folder.
