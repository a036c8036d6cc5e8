# lib/intake: sources of this layer's folder.
