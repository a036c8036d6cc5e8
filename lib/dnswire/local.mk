# lib/dnswire: sources of this layer's folder.
