# lib/system: sources of this layer's folder.
