# lib/queuefile: sources of this layer's folder.
